"""Event series: one recurrence rule and one template, any number of dates, each of which may differ."""
