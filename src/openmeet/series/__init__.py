"""Events that come again: one rule and one template, any number of dates, each of which may differ."""
