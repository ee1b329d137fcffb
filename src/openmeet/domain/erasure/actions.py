"""Account deletion: the preview that people see before they confirm, the request, and the steps that end everything the
person hosts and attends. ``account_rows`` deletes the rows.

Each step is its own transaction and can be repeated. An interrupted deletion continues on the next run.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Row, Transaction
from groundwork.errors import Failure, NotFound, Refused, Unavailable
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.attendance.model import ReplyNotifications, RsvpReply
from openmeet.domain.chat import matrix_people
from openmeet.domain.erasure.model import DELETION_MAIL, ENDS_BEFORE, MAX_LISTED, ErasurePreview, HostedEvent
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId, EventSlug
from openmeet.domain.events.visibility import is_not_over
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups import ownership as group_ownership
from openmeet.domain.groups.model import BELOW_OWNER, roles_sql
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import follower_queries, standing_rsvps
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.users import erasure_requests, guests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import ErasureRequest, ErasureStage
from openmeet.domain.users.model import Caller, User, UserId, UserReason
from openmeet.outbox.emails import enqueue_emails
from openmeet.outbox.kinds import JobKind

_UNDELETED_RECORDS: Final = """
    select p.uri from publications p left join repository_sessions s on s.did = p.did
     where p.user_id = :id and p.uri is not null and p.state not in ('withheld', 'retracted') {which} and not exists (
           select 1 from identities i where i.did = p.did and i.kind = 'custodial')
     order by p.uri
"""
_OUT_OF_REACH: Final = "and (s.did is null or s.needs_login = 1)"
_COMING_ANSWERS: Final = f"""
    select e.slug from attendances a join events e on e.id = a.event_id
     where a.user_id = :id and a.status not in ('declined', 'rejected') and e.deleted_at is null and e.removed_at is null
       and {is_not_over("e")} and e.author_id <> :id
     order by e.id
"""
# Single events and dates of series that begin before their host is deleted, and are neither cancelled nor handed over.
_SOON: Final = f"""
    select e.id, e.series_id, e.author_id, e.starts_at from account_erasures l join events e on e.author_id = l.user_id
     where l.stage = 'requested' {{whose}} and e.origin = 'here' and e.is_draft = 0 and e.status <> 'cancelled'
       and e.deleted_at is null and e.removed_at is null and e.starts_at < l.due_at
       and {is_not_over("e")}
       and (e.starts_at, e.id) > (cast(:after_start as bigint), :after_id)
     order by e.starts_at, e.id limit :limit
"""
_SOON_AT_A_TIME: Final = 500
_CALLS: Final = """
    delete from outbox_jobs where kind = :kind and subject in (
           select d.id from webhook_deliveries d join webhooks w on w.id = d.webhook_id where w.user_id = :id)
"""
_OWN_SERIES: Final = "select id from event_series where user_id = :id and deleted_at is null order by id"
_PREVIEW_COUNTS: Final = f"""
    select (select count(*) from attendances a join events e on e.id = a.event_id
             where a.user_id = :id and a.status not in ('declined', 'rejected') and e.deleted_at is null
               and {is_not_over("e")}) as answers,
           (select count(*) from group_members m join groups g on g.id = m.group_id
             where m.user_id = :id and m.role in ({roles_sql(BELOW_OWNER)}) and g.deleted_at is null) as memberships,
           (select count(*) from groups g where g.owner_id = :id and g.deleted_at is null) as owned,
           (select count(*) from groups g where g.owner_id = :id and g.deleted_at is null and exists (
              select 1 from group_members m where m.group_id = g.id and m.user_id <> :id
                 and m.role in ({roles_sql(BELOW_OWNER)}))) as passed,
           (select count(*) from publications p where p.user_id = :id and p.uri is not null
               and p.state not in ('withheld', 'retracted')) as records,
           (select count(*) from identities i where i.user_id = :id and i.kind = 'custodial') as custodial
"""
# The next date of each series, and every date within the grace period.
_PREVIEW_DATES: Final = """
    select e.id from events e
     where e.author_id = :id and e.origin = 'here' and e.series_id is not null and e.is_draft = 0
       and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null and e.over_at > :now
       and (e.starts_at < :due_at or not exists (
            select 1 from events f
             where f.series_id = e.series_id and f.status <> 'cancelled' and f.deleted_at is null and f.over_at > :now
               and (f.starts_at < e.starts_at or f.starts_at = e.starts_at and f.id < e.id)))
     order by e.starts_at, e.id
"""


async def find(reader: Reader, text: str) -> User | None:
    """Find the person or guest with this e-mail address, or the person with this DID or handle, even if they have no
    local account. Return None if nobody matches.

    Raises Refused for an empty text and for ``handle.invalid``, because accounts whose handle is unknown or not proven
    are stored without one.
    """
    identifier = text.strip().lower().removeprefix("@")
    if identifier in {"", "handle.invalid"}:
        raise Refused(UserReason.NAMES_NOBODY)
    user = await user_queries.by_email(reader, identifier)
    guest = None if user is not None else await guests.by_email(reader, identifier)
    if guest is not None:
        return await user_queries.by_id(reader, guest)
    if user is not None:
        return user
    # A handle that was seen with two accounts matches neither.
    identity = await identity_queries.find(reader, text.strip())
    identities = [identity] if identity is not None else await identity_queries.by_handle(reader, identifier)
    return await user_queries.by_id(reader, identities[0].user_id) if len(identities) == 1 else None


async def preview_deletion(reader: Reader, user_id: UserId, grace: int) -> ErasurePreview:
    """Return the consequences of a request. ``grace`` is in microseconds."""
    due_at = Instant(reader.now + grace)
    coming = await ownership.upcoming_single_events(reader, user_id)
    dates = await reader.fetch(_PREVIEW_DATES, id=user_id, now=reader.now, due_at=due_at)
    coming += [EventId(row["id"]) for row in dates]
    listed = []
    for event_id in coming[:MAX_LISTED]:
        event = await event_queries.by_id(reader, event_id)
        if event is None or event.is_cancelled:
            continue
        heir = await ownership.heir_of(reader, event)
        name = None if heir is None else (await user_queries.names(reader, [heir])).get(heir, "")
        is_soon = event.starts_at is not None and event.starts_at < due_at
        listed.append(HostedEvent(event.title, event.slug, event.starts_at, name, is_soon))
    listed.sort(key=lambda one: (one.starts_at is None, one.starts_at or 0))
    row = await reader.fetch_one(_PREVIEW_COUNTS, id=user_id, now=reader.now)
    counts = {} if row is None else dict(row)
    return ErasurePreview(
        due_at=due_at,
        events=tuple(listed),
        more_events=max(len(coming) - MAX_LISTED, 0),
        groups_passed=counts["passed"],
        groups_deleted=counts["owned"] - counts["passed"],
        answers=counts["answers"],
        memberships=counts["memberships"],
        records=counts["records"],
        out_of_reach=await out_of_reach(reader, user_id),
        has_custodial_account=bool(counts["custodial"]),
    )


async def request(tx: Transaction, user_id: UserId, grace: int) -> ErasureRequest:
    """Request deletion after a grace period (in microseconds). The person is hidden and signed out everywhere at once.

    Their API tokens and webhooks stop working now. So do the secret addresses of their calendars, until the deletion is
    cancelled.
    Raises NotFound if they are unknown or already deleted.
    """
    person = await user_queries.by_id(tx, user_id)
    if person is None or person.created_at == 0:
        raise NotFound(UserReason.NO_SUCH_ACCOUNT)
    erasure_request = await erasure_requests.put(tx, user_id, Instant(tx.now + grace))
    await sign_in.close_sessions_of(tx, user_id)
    await revoke_programs(tx, user_id)
    log.info("account.deletion_requested")
    return erasure_request


async def revoke_programs(tx: Transaction, user_id: UserId) -> None:
    """Revoke their API tokens and webhooks. Jobs for webhook calls are deleted first, because their errors contain the
    name of the server.
    """
    await tx.execute(_CALLS, kind=JobKind.WEBHOOK.value, id=user_id)
    await tx.execute("delete from api_tokens where user_id = :id", id=user_id)
    await tx.execute("delete from webhooks where user_id = :id", id=user_id)


async def begin(db: Database, user_id: UserId, grace: int) -> ErasureRequest:
    """Request the deletion of an account with ``request``, and end what the person hosts soon (``end_soon``)."""
    async with db.transaction() as tx:
        erasure_request = await request(tx, user_id, grace)
    await end_soon(db, user_id)
    return erasure_request


async def end_soon(db: Database, user_id: UserId | None = None) -> None:
    """Hand over or cancel events that begin within the grace period, because their host is hidden and cannot hold them.

    Without ``user_id`` this is done for everyone with a request. It completes interrupted requests and includes dates
    of series that were stored in the meantime.
    """
    statement = _SOON.format(whose="" if user_id is None else "and l.user_id = :id")
    parameters: dict[str, object] = {"id": user_id} if user_id else {}
    after: tuple[int, str] = (0, "")
    while True:
        async with db.reader() as reader:
            soon = await reader.fetch(
                statement,
                now=reader.now,
                after_start=after[0],
                after_id=after[1],
                limit=_SOON_AT_A_TIME,
                **parameters,
            )
        await _end_each(db, soon)
        if len(soon) < _SOON_AT_A_TIME:
            return
        after = soon[-1]["starts_at"], soon[-1]["id"]


async def _end_each(db: Database, soon: Sequence[Row]) -> None:
    for row in soon:
        series_id = None if row["series_id"] is None else SeriesId(row["series_id"])
        try:
            await _end_event(db, UserId(row["author_id"]), EventId(row["id"]), series_id)
        except _SignedInAgain:
            continue
        except Unavailable as failure:
            # The next run tries this event again. The other events must not wait for it.
            log.warning("account.event_not_ended", why=str(failure.why))


class _SignedInAgain(Exception):
    """The person has signed in again, so the request no longer exists."""


@asynccontextmanager
async def _step(db: Database, user_id: UserId) -> AsyncIterator[Transaction]:
    """Open a transaction that locks the person's request, so that a sign-in waits for it. Raises _SignedInAgain."""
    async with db.transaction() as tx:
        if not await erasure_requests.lock(tx, user_id):
            raise _SignedInAgain
        yield tx


async def end(db: Database, erasure_request: ErasureRequest) -> None:
    """Hand over or cancel what they host, end their answers and memberships, and retract their records.

    Stops if they sign in while it runs. Raises Unavailable; nothing is skipped, and the next run continues.
    """
    try:
        await _end_all(db, erasure_request)
    except _SignedInAgain:
        log.info("account.deletion_withdrawn")


async def _end_all(db: Database, erasure_request: ErasureRequest) -> None:
    user_id = erasure_request.user_id
    await _leave_groups(db, user_id)
    async with _step(db, user_id) as tx:
        await series_ownership.drop_offers_of(tx, user_id)
        await co_host_queries.end_all_of(tx, user_id)
    await _end_series(db, user_id)
    async with db.reader() as reader:
        coming = await ownership.upcoming_single_events(reader, user_id)
    for event_id in coming:
        await _end_event(db, user_id, event_id)
    await _decline_rsvps(db, user_id)
    async with _step(db, user_id) as tx:
        # Done last, so that an interrupted step is repeated.
        await erasure_requests.advance(tx, user_id, ErasureStage.ENDING)
        await identity_actions.withdraw(tx, user_id)
        await matrix_people.withdraw(tx, user_id)
        if erasure_request.stage is not ErasureStage.ERASING:
            await _leave_time(tx, erasure_request)


async def _leave_time(tx: Transaction, erasure_request: ErasureRequest) -> None:
    """Postpone the deletion if this step ran late and account servers still have records, so that they get enough time.
    Enqueue the last e-mail, which lists the records that the servers still have.
    """
    needed = erasure_request.due_at - ends_at(erasure_request)
    due_at = erasure_request.due_at
    if await undeleted_records(tx, erasure_request.user_id):
        due_at = max(due_at, Instant(tx.now + needed))
        await erasure_requests.move(tx, erasure_request.user_id, due_at)
    # One e-mail per request: a person who signs in and requests deletion again gets another one.
    mailed_at = Instant(max(tx.now, due_at - needed // 2))
    await enqueue_emails(tx, DELETION_MAIL, [(erasure_request.user_id, str(erasure_request.requested_at), mailed_at)])


async def _leave_groups(db: Database, user_id: UserId) -> None:
    async with db.reader() as reader:
        memberships = await membership_queries.memberships_of(reader, user_id)
    for membership in memberships:
        async with _step(db, user_id) as tx:
            await group_ownership.remove_from_group(tx, membership.group_id, user_id)


async def _end_series(db: Database, user_id: UserId) -> None:
    async with db.reader() as reader:
        own = [SeriesId(row["id"]) for row in await reader.fetch(_OWN_SERIES, id=user_id)]
    for series_id in own:
        async with _step(db, user_id) as tx:
            if await series_ownership.pass_to_heir(tx, series_id, user_id):
                continue
            series = await series_queries.lock(tx, series_id)
            if series is not None and series.owner_id == user_id and series.deleted_at is None:
                await series_actions.delete(tx, series, keeps_events=False)


async def _end_event(db: Database, user_id: UserId, event_id: EventId, series_id: SeriesId | None = None) -> None:
    """Hand over or cancel one event. A date of a series (``series_id``) is handed over with the whole series, if
    somebody takes it over.
    """
    try:
        async with _step(db, user_id) as tx:
            if series_id is None or not await series_ownership.pass_to_heir(tx, series_id, user_id):
                await _hand_over_or_cancel(tx, user_id, event_id)
    except Unavailable:
        raise
    except Failure as failure:
        # A failure with one event must not stop the deletion of the account. The event is emptied at the end.
        log.warning("account.event_not_ended", why=str(failure.why))


async def _hand_over_or_cancel(tx: Transaction, user_id: UserId, event_id: EventId) -> None:
    event = await event_queries.lock_for_update(tx, event_id)
    if event is None or event.author_id != user_id or event.is_cancelled or event.is_gone:
        return
    if event.position_in_series is not None or not await ownership.pass_to_heir(tx, event):
        await event_hosting.cancel(tx, Caller(user_id, ""), event.slug, "")
    else:
        await make_rsvp_records_due(tx, [event.id])


async def _decline_rsvps(db: Database, user_id: UserId) -> None:
    # First the standing RSVPs, so that they do not answer dates stored later.
    async with db.reader() as reader:
        series_ids = await follower_queries.series_with_standing_rsvp_of(reader, user_id)
    for series_id in series_ids:
        async with _step(db, user_id) as tx:
            await standing_rsvps.end_of_departed(tx, series_id, user_id)
    async with _step(db, user_id) as tx:
        await tx.execute("delete from event_series_followers where user_id = :id", id=user_id)
    async with db.reader() as reader:
        slugs = [EventSlug(row["slug"]) for row in await reader.fetch(_COMING_ANSWERS, id=user_id, now=reader.now)]
    for slug in slugs:
        try:
            async with _step(db, user_id) as tx:
                await attendance_actions.answer(
                    tx,
                    Caller(user_id, ""),
                    slug,
                    RsvpReply.DECLINED,
                    notifications=ReplyNotifications(calendar_email=False),
                )
        except Unavailable:
            raise
        except Failure as failure:
            # If this event cannot be declined, the row of the RSVP is still deleted at the end.
            log.warning("account.answer_not_withdrawn", why=str(failure.why))


async def undeleted_records(reader: Reader, user_id: UserId) -> tuple[str, ...]:
    """URIs of records that are still in the person's own network accounts. Records in a custodial account are not
    listed, because that is deleted as a whole.
    """
    return tuple(row["uri"] for row in await reader.fetch(_UNDELETED_RECORDS.format(which=""), id=user_id))


async def out_of_reach(reader: Reader, user_id: UserId) -> tuple[str, ...]:
    """URIs of the person's records that we cannot delete, because their account server no longer accepts our
    authorization.
    """
    return tuple(row["uri"] for row in await reader.fetch(_UNDELETED_RECORDS.format(which=_OUT_OF_REACH), id=user_id))


def ends_at(erasure_request: ErasureRequest) -> Instant:
    """When the person's hosting ends: two days before the deletion, or half of a shorter grace period."""
    grace = erasure_request.due_at - erasure_request.requested_at
    return Instant(erasure_request.due_at - min(ENDS_BEFORE, grace // 2))
