"""RSVP records in bulk: apply them, withdraw deleted ones, list them, compare them with their repositories.

Only RSVPs that depend on nothing but the event, the person and the status are applied in bulk: first or changed RSVPs
of people known only by a DID, and their withdrawal, if no seats are counted and nobody moves up. In all other cases one
RSVP may affect the next, or a person needs an e-mail, so they are left to ``actions``, one at a time. Both use
``rules.decide``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import fetch_each
from groundwork.database.row_lock import hold_each
from groundwork.database.transaction import Database, Reader, Transaction, TransactionConflict
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import enqueue_many
from openmeet.domain.attendance import actions, history, notify, queries, registration, rules, save_rsvp, waitlist
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    ChangeChannel,
    PendingFor,
    RsvpRecordStatus,
    RsvpSource,
)
from openmeet.domain.attendance.queries import COLUMNS, IS_HIDDEN, attendance_of
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.transitions import ACTION_OF_RECORD, AttendanceAction
from openmeet.domain.events import by_record
from openmeet.domain.events import queries as events
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.values import Visibility
from openmeet.domain.moderation.blocks import unwelcome_among
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId, UserKind
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState

Pair = tuple[EventId, UserId]


@dataclass(frozen=True, slots=True)
class RecordedRsvp:
    """The RSVP record that counts for a person and an event. ``first_seen`` is when it was first seen; RSVPs are
    ordered by it.
    """

    event_id: EventId
    user_id: UserId
    record_uri: str
    answer: RsvpRecordStatus
    first_seen: Instant

    @property
    def pair(self) -> Pair:
        return self.event_id, self.user_id


@dataclass(frozen=True, slots=True)
class _BatchContext:
    """Data read once for the whole batch, with the event rows locked. ``answers`` is keyed by event and person."""

    events: dict[EventId, Event]
    settings_by_event: dict[EventId, RegistrationSettings]
    answers: dict[Pair, Attendance]
    kinds: dict[UserId, UserKind]
    unwelcome: set[Pair]
    co_hosts: Mapping[EventId, Sequence[UserId]]
    events_with_waitlist: set[EventId]

    def hosts_of(self, event: Event) -> tuple[UserId, ...]:
        return event.author_id, *self.co_hosts.get(event.id, ())


async def apply_each(tx: Transaction, records: Sequence[RecordedRsvp]) -> set[Pair]:
    """Apply all RSVPs that can be applied in bulk. Return the pairs that must be applied one at a time.

    ``records`` has at most one RSVP per event and person. Raises TransactionConflict if a person has just been merged
    with another account.
    """
    batch = await _read_context(tx, records)
    new: dict[Pair, Attendance] = {}
    changed: dict[AttendanceId, tuple[Attendance, Attendance]] = {}
    new_record_uris: dict[AttendanceId, str] = {}
    not_in_bulk: set[Pair] = set()
    for record in records:
        if record.user_id not in batch.kinds:
            raise TransactionConflict("this person was joined with another row of theirs")
        rsvp = batch.answers.get(record.pair)
        after = _decide(batch, record, rsvp, tx.now)
        if after is None:
            not_in_bulk.add(record.pair)
            continue
        if rsvp is None:
            new[record.pair] = replace(after, record_uri=record.record_uri)
            continue
        if after is not rsvp:
            changed[rsvp.id] = (rsvp, after)
        if rsvp.record_uri != record.record_uri:
            new_record_uris[rsvp.id] = record.record_uri
    await queries.detach_records(
        tx, {one.record_uri for one in new.values() if one.record_uri} | {*new_record_uris.values()}
    )
    await queries.insert_each(tx, list(new.values()))
    await queries.set_records(tx, new_record_uris)
    await _save(tx, [*new.values()], [*changed.values()])
    await _notify_hosts(tx, batch, [*new.values(), *(after for _, after in changed.values())])
    return not_in_bulk


async def withdraw_each(tx: Transaction, event_ids: Mapping[str, EventId | None]) -> set[str]:
    """Set the RSVPs whose records were deleted, and no others, to ``declined`` (invariant 9). Hosts are not notified.

    ``event_ids`` has the event of each record URI. Return the URIs that must be withdrawn one at a time.
    """
    locked = {event_id for event_id in event_ids.values() if event_id is not None}
    await hold_each(tx, "events", "id", locked)
    found = await of_records(tx, event_ids.keys())
    kinds = await users.kinds(tx, {one.user_id for one in found.values()})
    events_with_waitlist = await waitlist.events_with_waitlist(tx, {one.event_id for one in found.values()})
    changed: list[tuple[Attendance, Attendance]] = []
    gone: dict[AttendanceId, None] = {}
    not_in_bulk: set[str] = set()
    for uri, rsvp in found.items():
        # A reply given on this site may take precedence, and people with an account need an e-mail.
        if (
            rsvp.event_id not in locked
            or rsvp.source is RsvpSource.HERE
            or kinds.get(rsvp.user_id) is not UserKind.SHADOW
        ):
            not_in_bulk.add(uri)
            continue
        decision = rules.without_record(rsvp)
        if decision.status is not rsvp.status:
            details = save_rsvp.stored_details(rsvp)
            after = save_rsvp.with_decision(rsvp, decision, details, source=RsvpSource.NETWORK, answered_at=tx.now)
            if _moves_others(rsvp, after, events_with_waitlist):
                not_in_bulk.add(uri)
                continue
            changed.append((rsvp, after))
        gone[rsvp.id] = None
    await queries.set_records(tx, gone)
    await _save(tx, [], changed)
    return not_in_bulk


async def _save(tx: Transaction, new: Sequence[Attendance], changed: Sequence[tuple[Attendance, Attendance]]) -> None:
    """Save the changed RSVPs (before, after) and their history."""
    await queries.save_many(tx, [after for _, after in changed])
    lines = [(before, after) for before, after in changed if save_rsvp.belongs_in_history(before, after)]
    before = [*(None for _ in new), *(one for one, _ in lines)]
    await history.append_many(tx, before, [*new, *(after for _, after in lines)], through=ChangeChannel.NETWORK)


async def _read_context(tx: Transaction, records: Sequence[RecordedRsvp]) -> _BatchContext:
    event_ids = sorted({record.event_id for record in records})
    await hold_each(tx, "events", "id", event_ids)
    found = {event.id: event for event in await events.several(tx, event_ids)}
    pairs = {record.pair for record in records}
    answers = await queries.of_pairs(tx, pairs)
    return _BatchContext(
        found,
        await registration.of_events(tx, list(found.values())),
        answers,
        await users.kinds(tx, {record.user_id for record in records}),
        await unwelcome_among(tx, {pair: found[pair[0]].author_id for pair in pairs if pair[0] in found}),
        await co_hosts_of(tx, event_ids),
        await waitlist.events_with_waitlist(tx, {event_id for event_id, _ in answers}),
    )


def _decide(batch: _BatchContext, record: RecordedRsvp, rsvp: Attendance | None, now: Instant) -> Attendance | None:
    """Return the RSVP after the decision, or None if it must be decided one at a time."""
    event = batch.events.get(record.event_id)
    if event is None or event.group is not None or (rsvp is not None and rsvp.offered_until is not None):
        return None
    if event.visibility is Visibility.PRIVATE or event.is_held:
        return None  # whether this person can see it is checked one at a time
    registration_settings = batch.settings_by_event[event.id]
    action = AttendanceAction.NETWORK_NOT_GOING if record.pair in batch.unwelcome else ACTION_OF_RECORD[record.answer]
    is_foreign = batch.kinds[record.user_id] is UserKind.SHADOW
    relationship = EventRelationship(is_host=record.user_id in batch.hosts_of(event), is_foreign=is_foreign)
    is_kept_apart = (
        is_foreign
        and registration_settings.foreign_on(event) is not ForeignAnswers.COUNT
        and not rules.needs_no_approval(rsvp, relationship)
    )
    takes_place = not is_kept_apart and rules.record_asks_for_seat(action, rsvp)
    if takes_place and not rules.limits_of(event, registration_settings).is_unlimited:
        return None
    decision = rules.decide(
        event, registration_settings, rsvp, action, relationship=relationship, has_room=takes_place, now=now
    )
    if rsvp is not None and (rsvp.status, rsvp.pending_for) == (decision.status, decision.pending_for):
        return rsvp
    if decision.status is AttendanceStatus.WAITLISTED:
        return None
    if rsvp is not None:
        return _after_change(batch, event, record, rsvp, decision) if is_foreign else None
    details = replace(save_rsvp.stored_details(None), mode=save_rsvp.mode_for_record_reply(event, None))
    return save_rsvp.new_rsvp(
        now, event, record.user_id, decision, details, source=RsvpSource.NETWORK, answered_at=record.first_seen
    )


def _after_change(
    batch: _BatchContext, event: Event, record: RecordedRsvp, rsvp: Attendance, decision: RsvpDecision
) -> Attendance | None:
    """Return the RSVP with the changed reply, or None if other people may move up because of it."""
    details = replace(save_rsvp.stored_details(rsvp), mode=save_rsvp.mode_for_record_reply(event, rsvp))
    changed = save_rsvp.with_decision(rsvp, decision, details, source=RsvpSource.NETWORK, answered_at=record.first_seen)
    after = replace(changed, known_starts_at=event.starts_at)
    return None if _moves_others(rsvp, after, batch.events_with_waitlist) else after


def _moves_others(before: Attendance, after: Attendance, events_with_waitlist: Collection[EventId]) -> bool:
    return before.event_id in events_with_waitlist and save_rsvp.may_move_waitlist_if_saved(before, after)


async def _notify_hosts(tx: Transaction, batch: _BatchContext, rsvps: Sequence[Attendance]) -> None:
    """Notify hosts as for a single RSVP. Most events from the network have no host who can be notified."""
    hosts = {event_id: batch.hosts_of(batch.events[event_id]) for event_id in {one.event_id for one in rsvps}}
    unreachable = await queries.unreachable(tx, sorted({host for some in hosts.values() for host in some}))
    notified_of_foreign: set[EventId] = set()
    news: dict[EventId, list[tuple[UserId, AttendanceStatus]]] = {}
    for one in rsvps:
        event = batch.events[one.event_id]
        if unreachable.issuperset(hosts[event.id]):
            continue
        is_foreign = batch.kinds[one.user_id] is UserKind.SHADOW
        is_apart = is_foreign and batch.settings_by_event[event.id].foreign_on(event) is not ForeignAnswers.COUNT
        if is_apart and one.status is AttendanceStatus.PENDING:
            if event.id not in notified_of_foreign:
                notified_of_foreign.add(event.id)
                await notify.notify_of_foreign(tx, event)
        elif event.author_id != one.user_id:
            news.setdefault(event.id, []).append((one.user_id, one.status))
    for event_id, some in news.items():
        await notify.notify_hosts_of_each(tx, batch.events[event_id], hosts[event_id], some)


# RSVPs that have a place, need none, or are foreign. Waitlisted people are only counted, because only they and the host
# should know that they got no place.
LISTED_STATUSES = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.ATTENDED,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.PENDING,
)


@dataclass(frozen=True, slots=True)
class ListedRsvp:
    """One RSVP whose record may be listed publicly."""

    id: AttendanceId
    user_id: UserId
    record_uri: str
    status: AttendanceStatus
    answered_at: Instant


async def listed_rsvps(
    reader: Reader, event_id: EventId, after: tuple[Instant, str] | None, limit: int
) -> Sequence[ListedRsvp]:
    """Return a page of an event's RSVPs whose records may be listed publicly, after ``after`` (time of answer, id).

    RSVPs that only hosts can see (private, unapproved, of unknown status) and accounts that are inactive or blocked are
    left out.
    """
    after_clause = "" if after is None else "and (a.answered_at, a.id) > (cast(:after_at as bigint), :after_id)"
    values: dict[str, object] = {} if after is None else {"after_at": after[0], "after_id": after[1]}
    rows = await reader.fetch(
        f"""
        select a.id, a.user_id, a.record_uri, a.status, a.answered_at from attendances a
         where a.event_id = :event_id and a.record_uri is not null and a.is_private = 0 and a.status in :listed
           and coalesce(a.pending_for, '') not in :hidden and not {IS_HIDDEN} {after_clause}
         order by a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        listed=[status.value for status in LISTED_STATUSES],
        hidden=[PendingFor.APPROVAL.value, PendingFor.UNKNOWN_STATUS.value],
        limit=limit,
        **values,
    )
    return [
        ListedRsvp(
            AttendanceId(row["id"]),
            UserId(row["user_id"]),
            row["record_uri"],
            AttendanceStatus(row["status"]),
            Instant(row["answered_at"]),
        )
        for row in rows
    ]


async def of_records(reader: Reader, uris: Collection[str]) -> dict[str, Attendance]:
    """The RSVPs with these records, by URI."""
    if not uris:
        return {}
    rows = await reader.fetch(f"select {COLUMNS} from attendances where record_uri in :uris", uris=sorted(uris))
    return {row["record_uri"]: attendance_of(row) for row in rows}


# How many RSVPs, or records, one transaction reads.
PIECE: Final = 500

# RSVP records received for the event, whether applied or pending.
_RECEIVED_RECORDS: Final = """
    select r.did, r.uri from records r
     where r.subject_uri = :event_uri and r.uri <> r.subject_uri and r.standing in ('mapped', 'parked')
"""
# The number of received records and of the records of RSVPs given on this site, even if those were never received.
_COUNT: Final = f"""
    select count(*) as n from (
      select a.record_uri as uri from attendances a where a.event_id = :event_id and a.record_uri is not null
      union
      select b.uri from ({_RECEIVED_RECORDS}) as b
    ) as asked
"""
_STATES: Final = """
    select coalesce(p.state, 'withheld') as state, count(*) as n
      from attendances a left join publications p on p.kind = 'rsvp' and p.subject_id = a.id
     where a.event_id = :event_id group by coalesce(p.state, 'withheld') order by 1
"""
_NEXT_ANSWERS: Final = """
    select id, user_id, record_uri from attendances where event_id = :event_id and user_id > :after order by user_id limit :limit
"""
_NEXT_RECEIVED_RECORDS: Final = (
    f"{_RECEIVED_RECORDS} and (r.did, r.uri) > (:did, :uri) order by r.did, r.uri limit :limit"
)


async def compare_answers(tx: Transaction, event: Event) -> int:
    """Enqueue a check of every RSVP record of the event against its repository. Return how many.

    Only hosts may request this. It costs one read per record, rate limited per PDS host
    (``network.ingestion.host_budgets``).
    """
    await jobs.enqueue_again(tx, JobKind.COMPARE_ANSWERS, [event.id])
    row = await tx.fetch_one(_COUNT, event_id=event.id, event_uri=event.record_uri or "")
    return int(row["n"]) if row else 0


async def states(reader: Reader, event_id: EventId) -> dict[PublicationState, int]:
    """Number of the event's RSVPs per publication state. Those that are not to be published count as ``WITHHELD``."""
    return {PublicationState(row["state"]): int(row["n"]) for row in await reader.fetch(_STATES, event_id=event_id)}


def comparing_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.COMPARE_ANSWERS``. The subject is the event. Each batch is one transaction and can safely be
    repeated.
    """

    async def handle(job: jobs.Job) -> None:
        async with db.reader() as reader:
            event = await by_id(reader, EventId(job.subject))
        if event is None or event.is_gone:
            return
        user_id: str | None = ""
        while user_id is not None:
            async with db.transaction() as tx:
                user_id = await _recheck_rsvps(tx, event, job.revision, user_id)
        after_key: tuple[str, str] | None = ("", "")
        while after_key is not None and event.record_uri is not None:
            async with db.transaction() as tx:
                after_key = await _recheck_received_records(tx, event.record_uri, job.revision, after_key)

    return handle


async def _recheck_rsvps(tx: Transaction, event: Event, revision: int, after: str) -> str | None:
    """Check the next batch of RSVPs. Return the user id of the last one, or None at the end. The publisher checks
    consent.
    """
    rows = await tx.fetch(_NEXT_ANSWERS, event_id=event.id, after=after, limit=PIECE)
    await publications.recheck(tx, kind=PublicationKind.RSVP, subject_ids=[row["id"] for row in rows])
    await _enqueue_proofs(tx, [row["record_uri"] for row in rows if row["record_uri"] is not None], revision)
    return rows[-1]["user_id"] if len(rows) == PIECE else None


async def _recheck_received_records(
    tx: Transaction, event_uri: str, revision: int, after_key: tuple[str, str]
) -> tuple[str, str] | None:
    did, uri = after_key
    rows = await tx.fetch(_NEXT_RECEIVED_RECORDS, event_uri=event_uri, did=did, uri=uri, limit=PIECE)
    await _enqueue_proofs(tx, [row["uri"] for row in rows], revision)
    return (rows[-1]["did"], rows[-1]["uri"]) if len(rows) == PIECE else None


async def _enqueue_proofs(tx: Transaction, uris: list[str], revision: int) -> None:
    await jobs.enqueue_many(tx, JobKind.PROVE_RECORD, [(uri, revision, tx.now) for uri in uris])


async def reconsider_hidden_rsvps(tx: Transaction, events: Sequence[Event]) -> None:
    """Reconsider the RSVP records that were hidden before, because these events are now visible to more people. The
    events are locked.
    """
    # The current time is the job's revision, so it is greater than that of any earlier job.
    addresses = await by_record.addresses_of(tx, events)
    await enqueue_many(tx, JobKind.FETCH_SUBJECT, [(uri, tx.now, tx.now) for uri in addresses])


# For people without an account, only the record is known, and that is kept. An erased event has no list on which they
# could be shown.
FORGET_STRANGERS = """
    delete from attendances
     where event_id in (select given.id from each(id text) as given)
       and user_id in (select u.id from users u where u.kind = 'shadow')
"""

# Another event may be created under the same URI later, and these records would then refer to it.
FORGET_RECORDS = """
    update attendances set record_uri = null
     where record_uri is not null and event_id in (select given.id from each(id text) as given)
"""


async def erase_answers_to(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Detach the RSVPs of events that are about to be erased. People with an account keep theirs; whether their records
    stay published is decided again.
    """
    rows = [{"id": event_id} for event_id in sorted(event_ids)]
    await fetch_each(tx, FORGET_STRANGERS, rows)
    await fetch_each(tx, FORGET_RECORDS, rows)
    for start in range(0, len(rows), _AT_A_TIME):
        await actions.recheck_rsvp_records(tx, sorted(event_ids)[start : start + _AT_A_TIME])


# Databases limit the number of bound parameters per statement.
_AT_A_TIME = 1000
