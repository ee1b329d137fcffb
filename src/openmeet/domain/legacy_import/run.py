"""Execute a plan: users, groups, series with their dates, and single events, each with its RSVPs. Can resume at any
row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import imported_rsvps as attendance
from openmeet.domain.attendance.imported_rsvps import ImportedRsvp
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events.event_records import find as find_by_record
from openmeet.domain.events.model import EventId, EventSlug, GroupOfEvent, PositionInSeries
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions, membership_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import (
    MAX_DESCRIPTION,
    MAX_PLACE,
    GroupDetails,
    GroupId,
    GroupRole,
    GroupVisibility,
    JoinPolicy,
    PromotionLevel,
)
from openmeet.domain.groups.model import MAX_NAME as MAX_GROUP_NAME
from openmeet.domain.groups.queries import by_id as group_by_id
from openmeet.domain.identities.actions import person_for_did
from openmeet.domain.legacy_import import queries
from openmeet.domain.legacy_import.conversion import UNTITLED, group_visibility
from openmeet.domain.legacy_import.model import OldEvent, OldGroup, OldMember, OldUser
from openmeet.domain.legacy_import.plan import LegacyPlan, LegacyRsvp, LegacySeriesPart, PlannedEvent
from openmeet.domain.legacy_import.queries import ImportedSource, ImportRun, LegacyRowKind, RunState, known, note
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import materialize
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import PublishPolicy, SeriesId, SeriesStatus
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import MAX_NAME, UserId, UserKind
from openmeet.i18n.markdown import one_line

T = TypeVar("T")

# Arguments: what is being imported, how many are done, how many there are.
OnProgress = Callable[[str, int, int], None]

# Rows per transaction. This stays far below the limit of two seconds, even on a slow disk.
_USERS = 200
_DATES = 25
_ANSWERS = 500


async def import_legacy(db: Database, source: str, zone: str, plan: LegacyPlan, on_progress: OnProgress) -> ImportRun:
    """Execute the plan, or what is left of it. Raises UniqueViolated if the same source is being imported concurrently."""
    async with db.transaction() as tx:
        await queries.begin(tx, source, zone, plan.counts())
        run = await queries.run_of(tx, source)
        assert run is not None  # noqa: S101  # started in the line above
    await _import_users(db, run, plan, on_progress)
    async with db.reader() as reader:
        people = await queries.known(reader, run.id, LegacyRowKind.USER, LegacyRowKind.KNOWN)
    groups = await import_groups(db, run.id, plan, {old: UserId(new) for old, new in people.items()}, on_progress)
    importer = _Importer(db, run.id, {old: UserId(new) for old, new in people.items()}, groups, plan)
    await importer.parts(on_progress)
    await importer.singles(on_progress)
    async with db.transaction() as tx:
        await queries.set_state(tx, run.id, RunState.DONE)
    return run


async def _import_users(db: Database, run: ImportRun, plan: LegacyPlan, on_progress: OnProgress) -> None:
    async with db.reader() as reader:
        done = await queries.known(reader, run.id, LegacyRowKind.USER, LegacyRowKind.KNOWN)
    waiting = [user for user in plan.users if user.id not in done]
    count = len(plan.users) - len(waiting)
    for chunk in _chunks(waiting, _USERS):
        async with db.transaction() as tx:
            for user in chunk:
                kind, user_id = await _user(tx, user)
                await queries.note(tx, run.id, kind, [(user.id, user_id)])
        count += len(chunk)
        on_progress("people", count, len(plan.users))


async def _user(tx: Transaction, user: OldUser) -> tuple[LegacyRowKind, UserId]:
    """Find or create the user of a legacy row. A user with the same address or DID may already exist."""
    did = _did(user)
    if user.is_shadow and did is not None:
        # Other users may refer to this DID too, so its user does not belong to this run alone.
        return LegacyRowKind.KNOWN, await person_for_did(tx, did)
    user_id = UserId(new_id(tx.now))
    name = one_line(user.name)[:MAX_NAME]
    if user.is_deleted or user.is_shadow:
        await user_queries.insert(
            tx, user_id, UserKind.SHADOW, display_name="" if user.is_deleted else name, email=None
        )
        return LegacyRowKind.USER, user_id
    if user.email is None and did is not None:
        return LegacyRowKind.KNOWN, await person_for_did(tx, did)
    if await user_queries.insert(tx, user_id, UserKind.PERSON, display_name=name, email=user.email):
        return LegacyRowKind.USER, user_id
    existing = await user_queries.by_email(tx, user.email or "")
    assert existing is not None  # noqa: S101  # the insert conflicted with this row
    return LegacyRowKind.KNOWN, existing.id


def _did(user: OldUser) -> Did | None:
    try:
        return parse_did(user.did) if user.did else None
    except ValueError:
        return None


class _Importer:
    """Shared state of the run: the new ids of users and groups."""

    def __init__(
        self, db: Database, run_id: str, people: dict[int, UserId], groups: dict[int, str], plan: LegacyPlan
    ) -> None:
        self._db = db
        self._run_id = run_id
        self._people = people
        self._groups = groups
        self._plan = plan
        self._heads = {part.old.id for part in plan.parts}

    async def parts(self, on_progress: OnProgress) -> None:
        """Import every series. The earlier part of a split series comes before the later part."""
        async with self._db.reader() as reader:
            done = await queries.known(reader, self._run_id, LegacyRowKind.SERIES)
        for number, part in enumerate(self._plan.parts, 1):
            if part.old.id not in done:
                done[part.old.id] = await self._series(part, done)
            await self._events(part.dates, SeriesId(done[part.old.id]))
            await self._window(SeriesId(done[part.old.id]))
            on_progress("series", number, len(self._plan.parts))

    async def singles(self, on_progress: OnProgress) -> None:
        """Import the events that belong to no series."""
        count = 0
        for chunk in _chunks(self._plan.singles, _DATES):
            await self._events(chunk, None)
            count += len(chunk)
            on_progress("single events", count, len(self._plan.singles))

    async def _series(self, part: LegacySeriesPart, done: dict[int, str]) -> str:
        async with self._db.transaction() as tx:
            owner = self._people[part.old.user_id or 0]
            made = await series_actions.insert(tx, owner, part.content, part.timing, PublishPolicy.NONE)
            if part.is_cancelled:
                made = await series_queries.save(tx, replace(made, status=SeriesStatus.CANCELLED))
            await queries.set_series_source(
                tx,
                made.id,
                part.old,
                split_from=None if part.after is None else SeriesId(done[part.after]),
                group_id=self._groups.get(part.old.group_id or 0),
            )
            await queries.follow_all(tx, made.id, [self._people[one] for one in part.followers])
            await queries.note(tx, self._run_id, LegacyRowKind.SERIES, [(part.old.id, made.id)])
            return made.id

    async def _window(self, series_id: SeriesId) -> None:
        """Materialize the near dates now, without notifications. The scheduler would announce each of them as new."""
        async with self._db.transaction() as tx:
            made = await series_queries.lock(tx, series_id)
            if made is not None and made.stored_until == 0:
                await materialize.store_window(tx, made)

    async def _events(self, dates: Sequence[PlannedEvent], series_id: SeriesId | None) -> None:
        async with self._db.reader() as reader:
            event_ids = {
                old: EventId(new)
                for old, new in (
                    await queries.known(reader, self._run_id, LegacyRowKind.EVENT, LegacyRowKind.KNOWN_EVENT)
                ).items()
            }
        for chunk in _chunks([one for one in dates if one.old.id not in event_ids], _DATES):
            async with self._db.transaction() as tx:
                taken_slugs = await queries.taken_event_slugs(tx, [one.old.slug for one in chunk if one.old.slug])
                for one in chunk:
                    kind, event_id = await self._event(tx, one, series_id, taken_slugs)
                    event_ids[one.old.id] = event_id
                    taken_slugs |= {one.old.slug}
                    await queries.note(tx, self._run_id, kind, [(one.old.id, event_id)])
        await self._answers([(event_ids[one.old.id], answer) for one in dates for answer in one.answers])

    async def _event(
        self, tx: Transaction, planned_event: PlannedEvent, series_id: SeriesId | None, taken_slugs: frozenset[str]
    ) -> tuple[LegacyRowKind, EventId]:
        old = planned_event.old
        record = _record(old)
        if record is not None:
            existing = await find_by_record(tx, record[0])
            if existing is not None:
                return LegacyRowKind.KNOWN_EVENT, existing.id
        position = (
            None if series_id is None else PositionInSeries(series_id, planned_event.name, planned_event.overridden)
        )
        event = await event_actions.create_imported(
            tx,
            self._people[old.user_id or 0],
            planned_event.details,
            slug=EventSlug(old.slug) if old.slug and old.slug not in taken_slugs else None,
            position=position,
            group=await self._group(tx, old),
            is_cancelled=planned_event.is_cancelled,
        )
        assert event is not None  # noqa: S101  # the names of dates are unique in a plan
        await queries.note_event_source(
            tx,
            event.id,
            ImportedSource(
                created_at=old.created_at,
                # The chat room of a head belongs to the series.
                matrix_room_id=None if old.id in self._heads else old.matrix_room_id,
                external_id=old.source_id,
                external_source=old.source_type,
                record=record,
            ),
        )
        return LegacyRowKind.EVENT, event.id

    async def _group(self, tx: Transaction, old: OldEvent) -> GroupOfEvent | None:
        group_id = self._groups.get(old.group_id or 0)
        group = None if group_id is None else await group_by_id(tx, GroupId(group_id))
        if group is None:
            return None
        return GroupOfEvent(
            group.id, group.details.visibility, group.details.promotion_level, group.details.announces_events
        )

    async def _answers(self, pairs_to_import: Sequence[tuple[EventId, LegacyRsvp]]) -> None:
        async with self._db.reader() as reader:
            known_answers = await queries.known_of(
                reader, self._run_id, LegacyRowKind.ANSWER, [answer.old.id for _, answer in pairs_to_import]
            )
        waiting = [(event_id, answer) for event_id, answer in pairs_to_import if answer.old.id not in known_answers]
        for chunk in _chunks(waiting, _ANSWERS):
            async with self._db.transaction() as tx:
                ids = await attendance.put(tx, [self._imported_rsvp(event_id, answer) for event_id, answer in chunk])
                pairs = [(answer.old.id, new) for (_, answer), new in zip(chunk, ids, strict=True) if new is not None]
                await queries.note(tx, self._run_id, LegacyRowKind.ANSWER, pairs)

    def _imported_rsvp(self, event_id: EventId, answer: LegacyRsvp) -> ImportedRsvp:
        person = self._people[answer.old.user_id]
        return ImportedRsvp(event_id, person, answer.status, answer.old.created_at or Instant(0))


def _record(old: OldEvent) -> tuple[str, str] | None:
    uri = old.source_id or ""
    if not uri.startswith("at://did:"):
        return None
    return uri, uri.removeprefix("at://").split("/")[0]


def _chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


_VISIBILITIES = {
    Visibility.PUBLIC: GroupVisibility.PUBLIC,
    Visibility.UNLISTED: GroupVisibility.UNLISTED,
    Visibility.PRIVATE: GroupVisibility.PRIVATE,
}
# The legacy role "guest" meant that approval was pending. An OpenMeet group has one owner, so further owners become
# admins.
_ROLES = {
    "owner": GroupRole.ADMIN,
    "admin": GroupRole.ADMIN,
    "moderator": GroupRole.MODERATOR,
    "member": GroupRole.MEMBER,
    "guest": GroupRole.PENDING,
}
_MEMBERS = 200


async def import_groups(
    db: Database,
    run_id: str,
    plan: LegacyPlan,
    people: Mapping[int, UserId],
    on_progress: Callable[[str, int, int], None],
) -> dict[int, str]:
    """Import groups. Returns new ids by legacy id."""
    async with db.reader() as reader:
        done = await known(reader, run_id, LegacyRowKind.GROUP)
        members = await known(reader, run_id, LegacyRowKind.MEMBER)
    for number, group in enumerate(plan.groups, 1):
        if group.id not in done:
            async with db.transaction() as tx:
                done[group.id] = await _group(tx, group, people[group.created_by or 0])
                await note(tx, run_id, LegacyRowKind.GROUP, [(group.id, done[group.id])])
        on_progress("groups", number, len(plan.groups))
    waiting = [one for one in plan.members if one.id not in members]
    for start in range(0, len(waiting), _MEMBERS):
        async with db.transaction() as tx:
            for one in waiting[start : start + _MEMBERS]:
                await note(tx, run_id, LegacyRowKind.MEMBER, [(one.id, await _member(tx, one, done, people))])
    return done


async def _group(tx: Transaction, group: OldGroup, owner: UserId) -> GroupId:
    details = GroupDetails(
        name=one_line(group.name)[:MAX_GROUP_NAME] or UNTITLED,
        time_zone="UTC",
        description=group.description.replace("\r\n", "\n").strip()[:MAX_DESCRIPTION],
        locality=one_line(group.location)[:MAX_PLACE],
        join_policy=JoinPolicy.REQUEST if group.requires_approval else JoinPolicy.OPEN,
        visibility=_VISIBILITIES[group_visibility(group)],
        # The group was not on the network, and its owner decides whether to publish it.
        promotion_level=PromotionLevel.PRIVATE,
    )
    made = await actions.create_imported(tx, owner, details)
    await membership_queries.set_slug_and_creation_time(tx, made.id, slug=group.slug, created_at=group.created_at)
    return made.id


async def _member(tx: Transaction, member: OldMember, groups: Mapping[int, str], people: Mapping[int, UserId]) -> str:
    group_id, user_id = GroupId(groups[member.group_id]), people[member.user_id]
    membership = await group_queries.find_member(tx, group_id, user_id)
    if membership is not None:
        return membership.id
    role = _ROLES.get(member.role, GroupRole.PENDING)
    made = group_queries.new_membership(tx.now, group_id, user_id, role)
    await group_queries.put_member(tx, replace(made, joined_at=None if role is GroupRole.PENDING else tx.now))
    return made.id
