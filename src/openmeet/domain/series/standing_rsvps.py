"""Standing RSVPs: one reply for all upcoming dates of a series, including future ones.

Each date with limited places is answered like any other, and can be skipped. A single e-mail covers all dates; its text
is in ``emails.series_confirmation``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import execute_together
from groundwork.database.pages import keys_in_pages, last_key, run_in_pages
from groundwork.database.row_lock import wait_for_lockers
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused, Why
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import moved_dates, reevaluation, registration
from openmeet.domain.attendance.calendar_entries import CALENDAR_EMAIL_DELAY, IN_CALENDAR
from openmeet.domain.attendance.model import (
    NO_NOTIFICATIONS,
    SEATED_STATUSES,
    Attendance,
    AttendanceStatus,
    ChangeChannel,
    ReplyNotifications,
    RsvpReply,
)
from openmeet.domain.attendance.queries import of_user
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_dates
from openmeet.domain.series import agenda, date_queries, follower_queries, ownership, queries, visibility
from openmeet.domain.series.model import Series, SeriesId, SeriesSlug
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.emails import email_job_write

SERIES_ANSWERED_MAIL: Final = "series_answered"
SERIES_DECLINED_MAIL: Final = "series_withdrawn"
_GOING = (*SEATED_STATUSES, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING)


@dataclass(frozen=True, slots=True)
class DateResult:
    """Result for one date: a status, or why the reply was refused (an error name and a reason)."""

    event: Event
    status: AttendanceStatus | None
    refused: str = ""
    why: Why = ""


async def answer_all(
    tx: Transaction,
    caller: Caller,
    slug: SeriesSlug,
    reply: RsvpReply,
    *,
    skips_limited: bool = False,
    through: ChangeChannel = ChangeChannel.PAGE,
) -> list[DateResult]:
    """Apply the caller's reply to all stored upcoming dates, in order.

    "Going" also covers future dates, until the person ends that (``stop``); any other reply ends it. ``skips_limited``:
    leave out dates with limited places, so that the person can answer these one by one. Raises NotFound, and Refused
    (``NotWelcome``) for "going".
    """
    series = await _lock(tx, caller, slug)
    if reply is RsvpReply.GOING:
        await visibility.raise_if_unwelcome(tx, series, caller.user_id, refusal=AttendanceReason.NOT_WELCOME)
        await follower_queries.put_standing_rsvp(tx, series.id, caller.user_id, with_limited=not skips_limited)
    else:
        await follower_queries.end_standing_rsvp(tx, series.id, caller.user_id)
    outcomes: list[DateResult] = []
    is_host_notified = False
    coming = await _lock_coming(tx, series)
    before = await of_user(tx, caller.user_id, [event.id for event in coming])
    limited = await registration.limited_among(tx, coming) if skips_limited else frozenset()
    for event in coming:
        if event.id in limited:
            continue
        try:
            # Notify the host only once, not for each date. A date that refuses the reply, or whose RSVP stays as it
            # was, notifies nobody.
            saved = await attendance_actions.answer(
                tx,
                caller,
                event.slug,
                reply,
                through=through,
                notifications=ReplyNotifications(hosts=not is_host_notified, calendar_email=False),
            )
        except NotFound:
            continue  # the person may not see this date
        except Refused as refused:
            outcomes.append(DateResult(event, None, refused.name or "Refused", refused.why))
        except InvalidForm:
            outcomes.append(DateResult(event, None, "AnswerNeeded", AttendanceReason.ANSWER_ON_PAGE()))
        else:
            outcomes.append(DateResult(event, saved.status))
            is_host_notified |= event.id not in before or before[event.id].status is not saved.status
    await _enqueue_email(tx, series, caller, coming, before)
    return outcomes


async def confirm_new_times(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, through: ChangeChannel = ChangeChannel.PAGE
) -> int:
    """Confirm the new times of all dates that were moved since the caller answered. Returns how many were confirmed.

    A date that no longer accepts the answer, or asks a new question, is left for its own page. Raises NotFound if there
    is no such series, or the caller may not see it and has answered none of its moved dates.
    """
    series = await queries.lock_by_slug(tx, slug)
    moved = [] if series is None else await moved_dates.slugs_of_moved_dates(tx, caller.user_id, series.id)
    if series is not None and moved:
        await lock_dates(tx, series.id)
    else:
        await agenda.require_visible(tx, series, caller.user_id)
    confirmed = 0
    for date in moved:
        try:
            await attendance_actions.answer(
                tx, caller, date, RsvpReply.GOING, through=through, notifications=NO_NOTIFICATIONS
            )
        except (NotFound, Refused, InvalidForm):
            continue
        confirmed += 1
    return confirmed


async def stop(tx: Transaction, caller: Caller, slug: SeriesSlug, *, declines: bool) -> int:
    """End the caller's standing RSVP. ``declines``: also decline the dates that they accepted. Returns the number of
    these. Raises NotFound.
    """
    series = await _lock_to_stop(tx, caller, slug)
    await follower_queries.end_standing_rsvp(tx, series.id, caller.user_id)
    if not declines:
        return 0
    coming = await _lock_coming(tx, series)
    rsvps = await of_user(tx, caller.user_id, [event.id for event in coming])
    going = [event for event in coming if event.id in rsvps and rsvps[event.id].status in _GOING]
    for event in going:
        # The host is notified only once, and the person gets a single e-mail.
        notifies = event is going[0]
        await attendance_actions.answer(
            tx,
            caller,
            event.slug,
            RsvpReply.DECLINED,
            notifications=ReplyNotifications(hosts=notifies, calendar_email=False),
        )
    await _enqueue_email(tx, series, caller, coming, rsvps)
    return len(going)


async def _lock(tx: Transaction, caller: Caller, slug: SeriesSlug) -> Series:
    """Lock the series. Callers lock several of its events, and this lock keeps concurrent transactions from changing
    the same dates.
    """
    await agenda.visible(tx, slug, caller.user_id)
    return await agenda.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)


async def _lock_to_stop(tx: Transaction, caller: Caller, slug: SeriesSlug) -> Series:
    """Like ``_lock``, but also for people who can no longer see the series and have a standing RSVP, which they may
    always end.
    """
    series = await queries.by_slug(tx, slug)
    if series is None or await follower_queries.standing_rsvp_of(tx, series.id, caller.user_id) is None:
        return await _lock(tx, caller, slug)
    return await queries.lock(tx, series.id) or series


async def _lock_coming(tx: Transaction, series: Series) -> list[Event]:
    """Lock the dates of a locked series, and return the upcoming ones in order of time."""
    # In id order, as everywhere that locks several dates. The answers lock them again, in order of time.
    await lock_dates(tx, series.id)
    dates = [one.event for one in await date_queries.stored(tx, series.id)]
    return [event for event in dates if not event.is_gone and not event.is_over(tx.now)]


async def _enqueue_email(
    tx: Transaction, series: Series, caller: Caller, dates: Sequence[Event], before: Mapping[EventId, Attendance]
) -> None:
    """Enqueue one e-mail about this person's RSVPs to these dates if their calendar changes. Hosts get none.

    ``before``: the person's earlier RSVPs to these dates.
    """
    if series.owner_id == caller.user_id:
        return
    now = await of_user(tx, caller.user_id, [event.id for event in dates])
    goes = {event_id for event_id, one in now.items() if one.is_seated}
    went = {event_id for event_id, one in before.items() if one.is_seated}
    kind = None
    if goes - went:
        kind = SERIES_ANSWERED_MAIL
    elif any(one.status in IN_CALENDAR and now[event_id].status not in IN_CALENDAR for event_id, one in before.items()):
        kind = SERIES_DECLINED_MAIL
    if kind is not None:
        due_at = Instant(tx.now + CALENDAR_EMAIL_DELAY)
        job = email_job_write(
            tx, kind=kind, person=caller.user_id, subject_id=series.id, revision=int(tx.now), due_at=due_at
        )
        await execute_together(tx, [job])


# Tables of what people answer. Replies hold a lock on one of their rows.
_LOCKED_BY_REPLIES: Final = ("event_series", "events")
# Series that are locked in one transaction.
SERIES_AT_ONCE: Final = 25


def left_group_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.LEFT_GROUP``, which ends RSVPs of somebody who has left a group. The job's subject
    is the person. Idempotent.
    """

    async def handle(job: Job) -> None:
        await end_rsvps(db, UserId(job.subject))

    return handle


async def end_rsvps(db: Database, user_id: UserId) -> int:
    """End the RSVPs of somebody who left a group or was banned from it, and offers of series to them. Return the number of
    RSVPs.

    A group can have very many series and events, so their locks are not taken. Instead, this first waits for replies that
    read the person's role before it changed: they hold the lock of a series or event until they are saved.
    """
    for table in _LOCKED_BY_REPLIES:
        await wait_for_lockers(db, table)
    # First end co-hosting: hosts can always see the event and would keep their RSVP.
    await run_in_pages(db, partial(co_host_queries.end_where_banned, user_id=user_id))
    await run_in_pages(db, partial(_leave_series, user_id=user_id))
    # After the standing RSVPs have ended, so that they do not answer dates stored later.
    ended = 0
    async for event_id in keys_in_pages(db, partial(reevaluation.events_of_former_groups, user_id=user_id)):
        # One transaction each, because others may be waiting for the lock.
        async with db.transaction() as tx:
            ended += await reevaluation.end_rsvp_of_former_member(tx, event_id, user_id)
    return ended


async def _leave_series(tx: Transaction, after: str, *, user_id: UserId) -> str | None:
    """End what ties the person to the next series of groups that they have left: the offer of the series, the standing
    RSVP if they can no longer see it, and after a ban also following it.
    """
    ids = await follower_queries.series_of_former_groups(tx, user_id, after=after, limit=SERIES_AT_ONCE)
    locked = await queries.lock_each(tx, ids)
    await ownership.end_offers_in_left_groups(tx, user_id, ids)
    await follower_queries.leave_series_where_banned(tx, user_id, ids)
    seen = {one.id for one in await visibility.seen(tx, locked, user_id)}
    await follower_queries.end_standing_rsvps(tx, [one for one in ids if one not in seen], user_id)
    return last_key(ids, SERIES_AT_ONCE)


async def end_of_departed(tx: Transaction, series_id: SeriesId, user_id: UserId) -> None:
    """End the standing RSVP of a person as whom nobody can sign in any more."""
    # Answers to new dates hold this lock.
    await queries.lock(tx, series_id)
    await follower_queries.end_standing_rsvp(tx, series_id, user_id)
