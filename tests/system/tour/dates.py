"""When the story's events take place: some weeks from whenever it is told."""

from datetime import UTC, datetime, timedelta


def in_weeks(weeks: int, time_of_day: str) -> str:
    """A wall-clock time as forms take it, such as ``2027-02-12T18:00``."""
    return f"{(datetime.now(UTC) + timedelta(weeks=weeks)).date()}T{time_of_day}"
