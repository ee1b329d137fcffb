"""One answer for every coming date of a series. Dates with a limit are answered like any other, each on its own."""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound, Refused
from openmeet.attendance import actions as attendance
from openmeet.attendance.model import AttendanceStatus, Reply
from openmeet.events.model import Event
from openmeet.series import agenda, queries
from openmeet.series.model import SeriesSlug
from openmeet.users.model import Caller


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the answer to one date: a status, or why it was not taken (its name and a sentence)."""

    event: Event
    status: AttendanceStatus | None
    refused: str = ""
    why: str = ""


async def answer_all(
    tx: Transaction, caller: Caller, slug: SeriesSlug, reply: Reply, *, skips_limited: bool = False
) -> list[Outcome]:
    """The caller's reply to every stored date that is still to come, in order. Raises NotFound.

    ``skips_limited``: dates with a limited number of places are left to be answered one by one.
    """
    await agenda.visible(tx, slug, caller.user_id)
    # Several events are locked below: the series' lock keeps this from meeting a change of the same dates halfway.
    series = await queries.lock_by_slug(tx, slug)
    if series is None or series.deleted_at is not None:
        raise NotFound("There is no such series.")
    outcomes = []
    for held in await queries.stored(tx, series.id):
        event = held.event
        if event.is_gone or event.is_over(tx.now) or (skips_limited and event.capacity is not None):
            continue
        try:
            mine = await attendance.answer(tx, caller, event.slug, reply)
        except NotFound:
            continue  # a date that is not theirs to see
        except Refused as refused:
            outcomes.append(Outcome(event, None, refused.name or "Refused", refused.why))
        else:
            outcomes.append(Outcome(event, mine.status))
    return outcomes
