"""Deleting an account: the request, and the end of what the person hosts and takes part in. ``account_rows`` does the rest.

Each step is a transaction of its own and can be repeated: whatever is interrupted goes on at the next turn.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Failure, NotFound, Refused, Unavailable
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import mirroring
from openmeet.domain.erasure.model import DELETION_MAIL, ENDS_BEFORE
from openmeet.domain.events import ownership as events_ownership
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId, EventSlug
from openmeet.domain.groups import ownership as groups_ownership
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.users import erasure_requests, guests
from openmeet.domain.users import queries as users
from openmeet.domain.users.erasure_requests import ErasureRequest, ErasureStage
from openmeet.domain.users.model import Caller, User, UserId
from openmeet.domain.users.reasons import UserReason
from openmeet.outbox.emails import enqueue_emails
from openmeet.outbox.kinds import JobKind

_UNDELETED_RECORDS: Final = """
    select p.uri from publications p left join repository_sessions s on s.did = p.did
     where p.user_id = :id and p.uri is not null and p.state not in ('withheld', 'retracted') {which} and not exists (
           select 1 from identities i where i.did = p.did and i.kind = 'custodial')
     order by p.uri
"""
_OUT_OF_REACH: Final = "and (s.did is null or s.needs_login = 1)"
_COMING_ANSWERS: Final = """
    select e.slug from attendances a join events e on e.id = a.event_id
     where a.user_id = :id and a.status not in ('declined', 'rejected') and e.deleted_at is null and e.removed_at is null
       and (e.over_at is null or e.over_at > :now) and e.author_id <> :id
     order by e.id
"""
# What begins before its host is deleted and is neither cancelled nor handed over; dates of series as well.
_SOON: Final = """
    select e.id, e.series_id, e.author_id from account_erasures l join events e on e.author_id = l.user_id
     where l.stage = 'requested' {whose} and e.origin = 'here' and e.is_draft = 0 and e.status <> 'cancelled'
       and e.deleted_at is null and e.removed_at is null and e.starts_at < l.due_at
       and (e.over_at is null or e.over_at > :now)
     order by e.starts_at, e.id limit :limit
"""
_SOON_AT_A_TIME: Final = 500
_CALLS: Final = """
    delete from outbox_jobs where kind = :kind and subject in (
           select d.id from webhook_deliveries d join webhooks w on w.id = d.webhook_id where w.user_id = :id)
"""
_OWN_SERIES: Final = "select id from event_series where user_id = :id and deleted_at is null order by id"


async def find(reader: Reader, who: str) -> User | None:
    """The person or guest with this e-mail address, or the person with this DID or handle, also without an account here.

    Raises Refused for what names nobody: accounts whose handle is not known, or not proven, are stored without one.
    """
    named = who.strip().lower().removeprefix("@")
    if named in {"", "handle.invalid"}:
        raise Refused(UserReason.NAMES_NOBODY)
    found = await users.by_email(reader, named)
    guest = None if found is not None else await guests.by_email(reader, named)
    if guest is not None:
        return await users.by_id(reader, guest)
    if found is not None:
        return found
    # A handle that two accounts were seen with names nobody.
    one = await identity_queries.find(reader, who.strip())
    known = [one] if one is not None else await identity_queries.by_handle(reader, named)
    return await users.by_id(reader, known[0].user_id) if len(known) == 1 else None


async def request(tx: Transaction, user_id: UserId, grace: int) -> ErasureRequest:
    """Ask for the deletion after a grace period (microseconds): hidden at once, signed out everywhere.

    API tokens and webhooks end now. Raises NotFound for somebody who is unknown or deleted already.
    """
    person = await users.by_id(tx, user_id)
    if person is None or person.created_at == 0:
        raise NotFound(UserReason.NO_SUCH_ACCOUNT)
    asked = await erasure_requests.put(tx, user_id, Instant(tx.now + grace))
    await sign_in.close_sessions_of(tx, user_id)
    await end_programs(tx, user_id)
    log.info("account.deletion_requested")
    return asked


async def end_programs(tx: Transaction, user_id: UserId) -> None:
    """End their API tokens and webhooks. Jobs of calls go first: why one failed names the server."""
    await tx.execute(_CALLS, kind=JobKind.WEBHOOK.value, id=user_id)
    await tx.execute("delete from api_tokens where user_id = :id", id=user_id)
    await tx.execute("delete from webhooks where user_id = :id", id=user_id)


async def begin(db: Database, user_id: UserId, grace: int) -> ErasureRequest:
    """Request the deletion of an account, as ``request``, and end soon what its person hosts (``end_soon``)."""
    async with db.transaction() as tx:
        asked = await request(tx, user_id, grace)
    await end_soon(db, user_id)
    return asked


async def end_soon(db: Database, user_id: UserId | None = None) -> None:
    """Hand over or cancel what begins within the grace period: its host is hidden and could not hold it.

    Of this person, or of everybody: what an interrupted request left, and dates of series that were stored since.
    """
    statement = _SOON.format(whose="" if user_id is None else "and l.user_id = :id")
    async with db.reader() as reader:
        soon = await reader.fetch(
            statement, now=reader.now, limit=_SOON_AT_A_TIME, **({"id": user_id} if user_id else {})
        )
    for row in soon:
        series_id = None if row["series_id"] is None else SeriesId(row["series_id"])
        try:
            await _end_event(db, UserId(row["author_id"]), EventId(row["id"]), series_id)
        except _CameBack:
            continue
        except Unavailable as failure:
            # The next turn finds it again; the others are not to wait for it.
            log.warning("account.event_not_ended", why=str(failure.why))


class _CameBack(Exception):
    """They have signed in since: there is no request any more."""


@asynccontextmanager
async def _step(db: Database, user_id: UserId) -> AsyncIterator[Transaction]:
    """A transaction during which their request stays: a sign-in waits for it. Raises _CameBack."""
    async with db.transaction() as tx:
        if not await erasure_requests.lock(tx, user_id):
            raise _CameBack
        yield tx


async def end(db: Database, asked: ErasureRequest) -> None:
    """Hand over or cancel what they host, end their answers and memberships, and retract their records.

    Stops where it is if they sign in while it runs. Raises Unavailable: nothing is left out, so the next turn goes on.
    """
    try:
        await _end_all(db, asked)
    except _CameBack:
        log.info("account.deletion_withdrawn")


async def _end_all(db: Database, asked: ErasureRequest) -> None:
    user_id = asked.user_id
    async with _step(db, user_id) as tx:
        await groups_ownership.remove_person(tx, user_id)
    async with _step(db, user_id) as tx:
        await series_ownership.transfer_all_of(tx, user_id)
    async with _step(db, user_id) as tx:
        await events_ownership.remove_person(tx, user_id)
    await _end_series(db, user_id)
    async with db.reader() as reader:
        coming = await events_ownership.coming_of(reader, user_id)
    for event_id in coming:
        await _end_event(db, user_id, event_id)
    await _withdraw_answers(db, user_id)
    async with _step(db, user_id) as tx:
        # Last, so that whatever was interrupted is done again.
        await erasure_requests.advance(tx, user_id, ErasureStage.ENDING)
        await identities.withdraw(tx, user_id)
        await mirroring.withdraw(tx, user_id)
        if asked.stage is not ErasureStage.ERASING:
            await _leave_time(tx, asked)


async def _leave_time(tx: Transaction, asked: ErasureRequest) -> None:
    """Account servers get their time also if this was done late; the last e-mail lists what they still have."""
    needed = asked.due_at - ends_at(asked)
    due_at = asked.due_at
    if await undeleted_records(tx, asked.user_id):
        due_at = max(due_at, Instant(tx.now + needed))
        await erasure_requests.move(tx, asked.user_id, due_at)
    # Each request has its own: anyone who signs in and asks again is told again.
    mailed_at = Instant(max(tx.now, due_at - needed // 2))
    await enqueue_emails(tx, DELETION_MAIL, [(asked.user_id, str(asked.requested_at), mailed_at)])


async def _end_series(db: Database, user_id: UserId) -> None:
    async with db.reader() as reader:
        own = [SeriesId(row["id"]) for row in await reader.fetch(_OWN_SERIES, id=user_id)]
    for series_id in own:
        async with _step(db, user_id) as tx:
            series = await series_queries.lock(tx, series_id)
            if series is not None and series.deleted_at is None:
                await series_actions.delete(tx, series, keeps_events=False)


async def _end_event(db: Database, user_id: UserId, event_id: EventId, series_id: SeriesId | None = None) -> None:
    """Hand over or cancel one event; the date of a series (``series_id``) goes with all of it to the person who gets it."""
    try:
        async with _step(db, user_id) as tx:
            if series_id is None or not await series_ownership.pass_to_heir(tx, series_id, user_id):
                await _hand_over_or_cancel(tx, user_id, event_id)
    except Unavailable:
        raise
    except Failure as failure:
        # One event does not keep the account alive: it is emptied in the end.
        log.warning("account.event_not_ended", why=str(failure.why))


async def _hand_over_or_cancel(tx: Transaction, user_id: UserId, event_id: EventId) -> None:
    event = await event_queries.lock_for_update(tx, event_id)
    if event is None or event.author_id != user_id or event.is_cancelled:
        return
    if event.place_in_series is not None or not await events_ownership.pass_to_heir(tx, event):
        await event_hosting.cancel(tx, Caller(user_id, ""), event.slug, "")


async def _withdraw_answers(db: Database, user_id: UserId) -> None:
    async with _step(db, user_id) as tx:
        await tx.execute("delete from event_series_standing_rsvps where user_id = :id", id=user_id)
        await tx.execute("delete from event_series_followers where user_id = :id", id=user_id)
    async with db.reader() as reader:
        slugs = [EventSlug(row["slug"]) for row in await reader.fetch(_COMING_ANSWERS, id=user_id, now=reader.now)]
    for slug in slugs:
        try:
            async with _step(db, user_id) as tx:
                await attendance.answer(tx, Caller(user_id, ""), slug, RsvpReply.DECLINED, is_single=False)
        except Unavailable:
            raise
        except Failure as failure:
            # The row is deleted in the end, whatever stops this answer from being taken back.
            log.warning("account.answer_not_withdrawn", why=str(failure.why))


async def undeleted_records(reader: Reader, user_id: UserId) -> tuple[str, ...]:
    """Addresses of records that are still in the person's own network accounts. One that we keep for them is deleted whole."""
    return tuple(row["uri"] for row in await reader.fetch(_UNDELETED_RECORDS.format(which=""), id=user_id))


async def out_of_reach(reader: Reader, user_id: UserId) -> tuple[str, ...]:
    """URIs of the person's records that we cannot delete, because the account server no longer lets us in."""
    return tuple(row["uri"] for row in await reader.fetch(_UNDELETED_RECORDS.format(which=_OUT_OF_REACH), id=user_id))


def ends_at(asked: ErasureRequest) -> Instant:
    """When the person's hosting ends: two days before the deletion, or half of a shorter grace period."""
    grace = asked.due_at - asked.requested_at
    return Instant(asked.due_at - min(ENDS_BEFORE, grace // 2))
