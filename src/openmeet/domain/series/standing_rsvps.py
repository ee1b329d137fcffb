"""One answer for every coming date of a series, and for those that come into being later.

Dates with a limit are answered like any other, each on its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from groundwork.outbox.dispatcher import JobHandler
from groundwork.outbox.jobs import Job, enqueue_many
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import reevaluation, registration
from openmeet.domain.attendance.model import SEATED, AttendanceStatus, RsvpReply, Through
from openmeet.domain.attendance.queries import of_user
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.domain.series import agenda, date_queries, emails, follower_queries, queries, visibility
from openmeet.domain.series.model import Going, Series, SeriesId, SeriesSlug
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind

_GOING = (*SEATED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING)


@dataclass(frozen=True, slots=True)
class DateResult:
    """What became of the answer to one date: a status, or why it was not taken (its name and a sentence)."""

    event: Event
    status: AttendanceStatus | None
    refused: str = ""
    why: str = ""


async def answer_all(
    tx: Transaction,
    caller: Caller,
    slug: SeriesSlug,
    reply: RsvpReply,
    *,
    skips_limited: bool = False,
    through: Through = Through.PAGE,
) -> list[DateResult]:
    """The caller's reply to every stored date that is still to come, in order. Raises NotFound.

    Who goes to all goes to later dates, too, until they say otherwise (``stop``); any other reply ends that. ``skips_limited``: dates
    with a limited number of places are left to be answered one by one.
    """
    series = await _lock(tx, caller, slug)
    if reply is RsvpReply.GOING:
        await follower_queries.go_to_all(tx, series.id, caller.user_id, with_limited=not skips_limited)
    else:
        await follower_queries.go_no_more(tx, series.id, caller.user_id)
    outcomes: list[DateResult] = []
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
            outcomes.append(DateResult(event, None, refused.name or "Refused", refused.why))
        except InvalidForm:
            outcomes.append(
                DateResult(event, None, "AnswerNeeded", "The host asks something. Answer on the page of this date.")
            )
        else:
            outcomes.append(DateResult(event, mine.status))
    await emails.enqueue(tx, series, caller, coming, before)
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
        await attendance.answer(tx, caller, event.slug, RsvpReply.DECLINED, tells_host=tells, is_single=False)
    await emails.enqueue(tx, series, caller, coming, mine)
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


# Answers that are given together with the dates, and in one transaction of a payer: each takes half a dozen statements.
AT_ONCE = 40
PIECE = 25


async def go_to_new_dates(tx: Transaction, series: Series, made: Sequence[Event]) -> None:
    """Answer dates that were just stored for everybody who goes to all; who may not go there any more is left out."""
    if not made:
        return
    everybody = await follower_queries.going(tx, series.id, limit=AT_ONCE + 1)
    if len(everybody) * len(made) <= AT_ONCE:
        for event in made:
            await _go(tx, event, everybody)
    else:
        await enqueue_many(tx, JobKind.STANDING_ANSWERS, [(event.id, 1, tx.now) for event in made])


def standing_rsvps_handler(db: Database) -> JobHandler:
    """The payer of ``Debt.STANDING_ANSWERS``; the subject is the date."""

    async def pay(job: Job) -> None:
        event_id, last = EventId(job.subject), None
        while some := await in_one_hop(db, partial(_next_go, event_id=event_id, last=last)):
            last = some[-1]

    return pay


async def _next_go(tx: Transaction, event_id: EventId, last: Going | None) -> list[Going]:
    """The next who go to all of its series, behind this one, go to a date; who they were."""
    known = await by_id(tx, event_id)
    if known is None or known.place_in_series is None or known.is_gone:
        return []
    # Whoever says that they go no more holds this lock, too.
    series = await queries.lock(tx, SeriesId(known.place_in_series.series_id))
    if series is None:
        return []
    some = await follower_queries.going(tx, series.id, limit=PIECE, behind=last, unanswered=event_id)
    await _go(tx, known, some)
    return some


async def _go(tx: Transaction, event: Event, people: Sequence[Going]) -> None:
    is_limited = event.id in await registration.limited_among(tx, [event])
    for one in people:
        if is_limited and not one.with_limited:
            continue
        try:
            await attendance.answer(
                tx, Caller(one.user_id, ""), event.slug, RsvpReply.GOING, tells_host=False, is_single=False
            )
        except (NotFound, Forbidden, Refused, InvalidForm):
            continue  # out of the group, or the date takes no such answer, or asks first: theirs to see on its page


_GOING_NO_MORE = """
    select s.id from event_series_answers a
      join event_series s on s.id = a.series_id
      join group_members m on m.group_id = s.group_id and m.user_id = a.user_id
     where a.user_id = :user_id and m.role in ('left', 'banned') order by s.id
"""


def left_group_handler(db: Database) -> JobHandler:
    """The payer of ``Debt.LEFT_GROUP``; the subject is a person. Paid twice, it finds nothing left to end."""

    async def pay(job: Job) -> None:
        await end_answers(db, UserId(job.subject))

    return pay


async def end_answers(db: Database, user_id: UserId) -> int:
    """How many answers ended. Each series and each event in a transaction of its own: others may wait for them, too."""
    async with db.transaction() as tx:
        # First: who hosts an event sees it, and would keep their answer.
        await co_host_queries.end_where_banned(tx, user_id)
    async with db.reader() as reader:
        series_ids = await _going(reader, user_id)
    for series_id in series_ids:
        async with db.transaction() as tx:
            await _go_no_more(tx, series_id, user_id)
    # Behind the standing answers: a date that comes into being meanwhile is answered by them no more.
    async with db.reader() as reader:
        event_ids = await reevaluation.answered(reader, user_id)
    ended = 0
    for event_id in event_ids:
        async with db.transaction() as tx:
            ended += await reevaluation.end_answer(tx, event_id, user_id)
    return ended


async def _going(reader: Reader, user_id: UserId) -> list[SeriesId]:
    return [SeriesId(row["id"]) for row in await reader.fetch(_GOING_NO_MORE, user_id=user_id)]


async def _go_no_more(tx: Transaction, series_id: SeriesId, user_id: UserId) -> None:
    series = await queries.lock(tx, series_id)
    if series is not None and not await visibility.may_see(tx, series, user_id):
        await follower_queries.go_no_more(tx, series_id, user_id)
