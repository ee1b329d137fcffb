"""Which new date stands for an old one when a rule changes: answers are about a meeting, not about a weekday."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

# Dates of a series that has no two are never moved further than this.
_ALONE = timedelta(days=3)


def remap(
    old: Sequence[datetime], new: Sequence[datetime], *, apart: Collection[datetime] = ()
) -> dict[datetime, datetime | None]:
    """Old date -> new date, or None for one that has no place in the new rule. No new date is given twice.

    A date stays itself where it still exists; else it becomes the date on the same day; else the nearest free one that is
    closer than half the usual distance between dates (a weekly meeting that goes from Tuesday to Wednesday), keeping order.

    ``apart``: those of the old dates that the rule did not name any more. Such a date becomes one of the rule again where that names
    it or its day, which has no other; of another day it takes no meeting's place.
    """
    free = sorted(set(new))
    found: dict[datetime, datetime | None] = dict.fromkeys(sorted(set(old)))
    for date in found:
        if date in free:
            found[date] = date
            free.remove(date)
    for date in sorted(_open(found), key=lambda date: (date in apart, date)):
        same_day = next((other for other in free if other.date() == date.date()), None)
        if same_day is not None:
            found[date] = same_day
            free.remove(same_day)
    reach = _reach([date for date in found if date not in apart], new)
    for date in _open(found):
        if date in apart:
            continue
        near = [other for other in free if abs(other - date) <= reach and _keeps_order(found, date, other)]
        if near:
            nearest = min(near, key=lambda other: (abs(other - date), other))
            found[date] = nearest
            free.remove(nearest)
    return found


def _open(found: dict[datetime, datetime | None]) -> list[datetime]:
    return [date for date, other in found.items() if other is None]


def _reach(old: Sequence[datetime], new: Sequence[datetime]) -> timedelta:
    both = (sorted(old), sorted(new))
    gaps = [(behind - before).total_seconds() for dates in both for before, behind in pairwise(dates)]
    return timedelta(seconds=median(gaps) / 2) if gaps else _ALONE


def _keeps_order(found: dict[datetime, datetime | None], date: datetime, other: datetime) -> bool:
    return all(
        (before < date) == (taken < other) for before, taken in found.items() if taken is not None and before != date
    )
