"""Calendars of other programs: what their files say, and files that they can read."""
