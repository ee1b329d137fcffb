"""Dates of the tour's events: some weeks after the day on which it is run."""

from datetime import UTC, datetime, timedelta


def in_weeks(weeks: int, time_of_day: str) -> str:
    """A wall-clock time in the format of forms, such as ``2027-02-12T18:00``."""
    return f"{(datetime.now(UTC) + timedelta(weeks=weeks)).date()}T{time_of_day}"
