"""Event series: a recurrence rule and a template, with any number of dates, each of which can differ from the template."""
