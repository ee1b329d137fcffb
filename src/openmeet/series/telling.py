"""Who hears of what happens to a series: those who answered its dates, and those who follow it; each once, however much it is.

Mails about news wait half an hour and those about one date become one (``notifications``): one change of a series is one mail per
person, because each of them is told of one date only, their earliest.
"""

from collections.abc import Collection, Sequence

from groundwork.database.transaction import Transaction
from openmeet.attendance.actions import CONCERNED, dates_changed
from openmeet.attendance.queries import people_of_dates
from openmeet.events.model import Event
from openmeet.notifications.actions import tell, tell_of_new_dates
from openmeet.notifications.model import Kind, Particulars
from openmeet.series import following, queries
from openmeet.series.model import Series
from openmeet.users.model import UserId

_NOBODY: frozenset[UserId] = frozenset()


async def of_changes(
    tx: Transaction,
    series: Series,
    changed: Sequence[tuple[Event | None, Event]],
    kind: Kind,
    *,
    tells: bool = True,
    but: Collection[UserId] = _NOBODY,
) -> frozenset[UserId]:
    """These dates (before and after) of a locked series were changed; who was told. Seats that this made free are given.

    ``but``: followers who have heard of it already.
    """
    if not changed:
        return _NOBODY
    also = [one for one in await following.to_tell(tx, series) if one not in but] if tells else []
    return await dates_changed(tx, changed, kind, also=also, tells=tells)


async def of_new_dates(
    tx: Transaction, series: Series, made: Sequence[Event], *, but: Collection[UserId] = _NOBODY
) -> None:
    """A locked series has got dates: its followers hear of the earliest and of how many more there are."""
    if not made:
        return
    first = min(made, key=lambda event: (event.starts_at or 0, event.id))
    assert first.starts_at is not None  # noqa: S101  # a rule gave it one
    to = [one for one in await following.to_tell(tx, series) if one not in but]
    await tell_of_new_dates(tx, to, first.id, first.starts_at, first.time_zone, more=len(made) - 1)


async def of_status(tx: Transaction, series: Series, kind: Kind, reason: str) -> None:
    """A locked series is paused, or goes on: followers and those who answered a coming date hear of it, by its next date."""
    held = [one.event for one in await queries.stored(tx, series.id) if not one.event.is_gone]
    coming = [event for event in held if not event.is_over(tx.now)]
    subject = next(iter(coming), held[-1] if held else None)
    if subject is None:
        return
    people = await people_of_dates(tx, [event.id for event in coming], CONCERNED)
    to = {user_id for user_id, _ in people if user_id != series.owner_id} | set(await following.to_tell(tx, series))
    await tell(tx, sorted(to), kind, subject.id, series.revision, Particulars(said=reason))
