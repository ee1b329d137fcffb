"""Recurring events: one rule and one template, any number of dates, each of which may differ."""
