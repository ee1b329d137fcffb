"""One answer for every coming date of a series, and for those that come into being later.

Dates with a limit are answered like any other, each on its own.
"""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import SEATED, AttendanceStatus, Reply, Through
from openmeet.domain.attendance.queries import of_user
from openmeet.domain.events.model import Event
from openmeet.domain.series import agenda, date_queries, emails, follower_queries, queries
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import Caller

_GOING = (*SEATED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the answer to one date: a status, or why it was not taken (its name and a sentence)."""

    event: Event
    status: AttendanceStatus | None
    refused: str = ""
    why: str = ""


async def answer_all(
    tx: Transaction,
    caller: Caller,
    slug: SeriesSlug,
    reply: Reply,
    *,
    skips_limited: bool = False,
    through: Through = Through.PAGE,
) -> list[Outcome]:
    """The caller's reply to every stored date that is still to come, in order. Raises NotFound.

    Who goes to all goes to later dates, too, until they say otherwise (``stop``); any other reply ends that. ``skips_limited``: dates
    with a limited number of places are left to be answered one by one.
    """
    series = await _lock(tx, caller, slug)
    if reply is Reply.GOING:
        await follower_queries.go_to_all(tx, series.id, caller.user_id, with_limited=not skips_limited)
    else:
        await follower_queries.go_no_more(tx, series.id, caller.user_id)
    outcomes: list[Outcome] = []
    coming = await _coming(tx, series)
    before = await of_user(tx, caller.user_id, [event.id for event in coming])
    limited = await registration.limited_among(tx, coming) if skips_limited else frozenset()
    for event in coming:
        if event.id in limited:
            continue
        try:
            # The host hears of it once, not for each date.
            mine = await attendance.answer(
                tx, caller, event.slug, reply, through=through, tells_host=not outcomes, is_single=False
            )
        except NotFound:
            continue  # a date that is not theirs to see
        except Refused as refused:
            outcomes.append(Outcome(event, None, refused.name or "Refused", refused.why))
        except InvalidForm:
            outcomes.append(
                Outcome(event, None, "AnswerNeeded", "The host asks something. Answer on the page of this date.")
            )
        else:
            outcomes.append(Outcome(event, mine.status))
    await emails.owe(tx, series, caller, coming, before)
    return outcomes


async def stop(tx: Transaction, caller: Caller, slug: SeriesSlug, *, withdraws: bool) -> int:
    """The caller goes to no later dates by themselves. ``withdraws``: nor to those there are; how many that was. Raises NotFound."""
    series = await _lock_to_stop(tx, caller, slug)
    await follower_queries.go_no_more(tx, series.id, caller.user_id)
    if not withdraws:
        return 0
    coming = await _coming(tx, series)
    mine = await of_user(tx, caller.user_id, [event.id for event in coming])
    going = [event for event in coming if event.id in mine and mine[event.id].status in _GOING]
    for event in going:
        # The host hears of it once, and so does the person's calendar.
        tells = event is going[0]
        await attendance.answer(tx, caller, event.slug, Reply.DECLINED, tells_host=tells, is_single=False)
    await emails.owe(tx, series, caller, coming, mine)
    return len(going)


async def _lock(tx: Transaction, caller: Caller, slug: SeriesSlug) -> Series:
    """Several events are locked below: the series' lock keeps this from meeting a change of the same dates halfway."""
    await agenda.visible(tx, slug, caller.user_id)
    return await agenda.must_be_seen(tx, await queries.lock_by_slug(tx, slug), caller.user_id)


async def _lock_to_stop(tx: Transaction, caller: Caller, slug: SeriesSlug) -> Series:
    """``_lock``, also where they see the series no more and still go to its dates: that is always theirs to end."""
    known = await queries.by_slug(tx, slug)
    if known is None or await follower_queries.going_of(tx, known.id, caller.user_id) is None:
        return await _lock(tx, caller, slug)
    return await queries.lock(tx, known.id) or known


async def _coming(tx: Transaction, series: Series) -> list[Event]:
    held = [one.event for one in await date_queries.stored(tx, series.id)]
    return [event for event in held if not event.is_gone and not event.is_over(tx.now)]
