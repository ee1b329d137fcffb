"""RSVPs to new dates of a series: of the people who are invited to all dates, and of those with a standing RSVP.

A few are made in the transaction that stores the dates. A transaction has little time, so a job makes many. If a date is
cancelled before its job runs, it gets its RSVPs all the same, in case it is reinstated; the cancellation has notified
these people already (``attendance.expected_rsvps``). So does a date that was kept when its series was deleted.
"""

from collections.abc import Sequence
from functools import partial

from groundwork.database.transaction import Database, Transaction, TransactionConflict
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_many
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import expected_rsvps, invitation_queries, invitations, registration
from openmeet.domain.attendance.invitation_queries import Invitee
from openmeet.domain.attendance.model import NO_NOTIFICATIONS, RsvpReply
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.series import follower_queries, queries
from openmeet.domain.series.model import Series, SeriesId, StandingRsvp
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind

# Invitations that are stored at once. They take a few statements for any number.
INVITED_AT_ONCE = 200
# Standing RSVPs that are applied at once. Each takes half a dozen statements.
ANSWERED_AT_ONCE = 40
ANSWERED_PER_BATCH = 25


async def add_rsvps(tx: Transaction, series: Series, made: Sequence[Event]) -> None:
    """Add the RSVPs to newly stored dates of a locked series, or enqueue the jobs that do so if there are many."""
    if not made:
        return
    invited = await invitation_queries.of_series(tx, series.id, limit=INVITED_AT_ONCE + 1)
    going = await follower_queries.standing_rsvps(tx, series.id, limit=ANSWERED_AT_ONCE + 1)
    # If the invitations are left to the job, so are the replies: some people see the date only when they are invited.
    if len(invited) * len(made) > INVITED_AT_ONCE or len(going) * len(made) > ANSWERED_AT_ONCE:
        await enqueue_many(tx, JobKind.NEW_DATE, [(event.id, 1, tx.now) for event in made])
        return
    await invitations.invite_to_new_dates(tx, made, invited)
    for event in made:
        await _answer_for(tx, event, going)


async def invite_viewer(tx: Transaction, series: Series, date: Event, viewer: UserId) -> None:
    """Invite the viewer of a new date if they are invited to all dates of the locked series, without waiting for the
    job.
    """
    invitee = await invitation_queries.find(tx, series.id, viewer)
    if invitee is not None:
        await invitations.invite_to_new_dates(tx, [date], [invitee])


def new_date_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.NEW_DATE``. The job's subject is the date."""

    async def handle(job: Job) -> None:
        date_id = EventId(job.subject)
        invitee: Invitee | None = None
        while invited := await db.batch(partial(_invite_next, date_id=date_id, last=invitee)):
            invitee = invited[-1]
        standing_rsvp: StandingRsvp | None = None
        while answered := await db.batch(partial(_answer_next, date_id=date_id, last=standing_rsvp)):
            standing_rsvp = answered[-1]

    return handle


async def _invite_next(tx: Transaction, date_id: EventId, last: Invitee | None) -> list[Invitee]:
    """Invite the next people after ``last`` to a date. Returns them."""
    locked = await _lock(tx, date_id)
    if locked is None:
        return []
    series, date = locked
    people = await invitation_queries.of_series(
        tx, series.id, after=last.user_id if last else None, limit=INVITED_AT_ONCE
    )
    await invitations.invite_to_new_dates(tx, [date], people)
    return people


async def _answer_next(tx: Transaction, date_id: EventId, last: StandingRsvp | None) -> list[StandingRsvp]:
    """Apply the next standing RSVPs after ``last`` to a date. Returns them."""
    locked = await _lock(tx, date_id)
    if locked is None:
        return []
    series, date = locked
    people = await follower_queries.standing_rsvps(
        tx, series.id, limit=ANSWERED_PER_BATCH, after=last, without_rsvp_to=date.id
    )
    await _answer_for(tx, date, people)
    return people


async def _lock(tx: Transaction, date_id: EventId) -> tuple[Series, Event] | None:
    """Lock the series and its date. None if the date is gone. Ending a standing RSVP also locks the series.

    Raises TransactionConflict if the date was moved to another series meanwhile; then the transaction is repeated.
    """
    series_id = await expected_rsvps.series_of(tx, date_id)
    series = None if series_id is None else await queries.lock(tx, SeriesId(series_id))
    date = await lock_for_update(tx, date_id)
    if series is None or date is None or date.is_gone:
        return None
    if await expected_rsvps.series_of(tx, date_id) != series.id:
        raise TransactionConflict("the date was moved to another series in between")
    return series, date


async def _answer_for(tx: Transaction, event: Event, people: Sequence[StandingRsvp]) -> None:
    is_limited = event.id in await registration.limited_among(tx, [event])
    for one in people:
        if is_limited and not one.with_limited:
            continue
        try:
            await attendance_actions.answer(
                tx,
                Caller(one.user_id, ""),
                event.slug,
                RsvpReply.GOING,
                notifications=NO_NOTIFICATIONS,
                is_standing_rsvp=True,
            )
        except (NotFound, Forbidden, Refused, InvalidForm):
            continue  # they left the group, or the date refuses them or has questions: they can answer on its page
