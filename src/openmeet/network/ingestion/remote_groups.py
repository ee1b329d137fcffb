"""Groups of other installations, and membership statements about any group: rows that are derived only from the
records.

A statement by one side alone has no effect, and nobody can give themselves a role: a membership exists if the member's
statement and the acceptance in the group's repository agree. A group from the network is managed on another server;
here all its members are ordinary members, regardless of their roles there.

Only signed statements are applied: an unsigned one is stored, and requested from its repository.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.events import event_records
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.group_of_event import leave_network_group, set_network_group
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.groups import actions, audit_log, notify, queries, record_queries, rules
from openmeet.domain.groups.model import (
    BELOW_OWNER,
    INSIDE,
    Group,
    GroupDetails,
    GroupId,
    GroupLogAction,
    GroupPublication,
    GroupRole,
    GroupSlug,
    JoinPolicy,
    Membership,
    SuccessionPlan,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.record_queries import MembershipStatement
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.moderation.blocks import raise_if_unwelcome
from openmeet.domain.slugs import new_slug
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, Switches
from openmeet.network.ingestion import local_groups, restored_records
from openmeet.network.ingestion.parsed_messages import ParsedMessage
from openmeet.network.records import links, seen
from openmeet.network.records.collections import EVENT
from openmeet.network.records.group import ParsedGroup, read_group
from openmeet.network.records.group_statements import GroupStatement, StatementKind, read_link
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.seen import RecordState
from openmeet.outbox import publication_queries, publications
from openmeet.outbox.publications import PublicationKind

# Maximum number of statements searched when a group arrives after them. Further ones are applied with their author's
# next record.
MAX_SUBJECTS: Final = 500
# Maximum number of pending join requests to a group here from unknown people on the network. More would be abuse.
MAX_ASKING: Final = 200
# Maximum length of a chain of successor groups.
_LONGEST_CHAIN: Final = 8


async def apply_record(tx: Transaction, did: Did, uri: str, cid: str, parsed_group: ParsedGroup) -> None:
    """Apply the record of somebody else's group. The record of a group made here is not accepted."""
    group = await record_queries.by_any_record(tx, uri)
    if group is not None and not group.is_read_only:
        return
    if group is None:
        owner_id, _ = await identity_actions.author_for_did(tx, did)
        group = Group(
            id=GroupId(new_id(tx.now)),
            slug=GroupSlug(new_slug(parsed_group.name, otherwise="group")),
            details=_details(parsed_group),
            latitude="",
            longitude="",
            owner_id=owner_id,
            succession_plan=SuccessionPlan(),
            succession=None,
            offer=None,
            revision=1,
            deleted_at=None,
            created_at=tx.now,
            updated_at=tx.now,
            network=GroupPublication(record_uri=uri, is_read_only=True),
        )
        await queries.insert(tx, group, submission=None)
        await links.delete_superseded_group(tx, uri)
    else:
        locked = await queries.lock(tx, group.id)
        if locked is None:
            return
        group = replace(
            locked,
            details=_details(parsed_group),
            succession_plan=replace(
                locked.succession_plan, backup_admin_did=next(iter(parsed_group.backup_admins), None)
            ),
            deleted_at=None,
            revision=locked.revision + 1,
            updated_at=tx.now,
        )
        await queries.update(tx, group)
    await record_queries.set_cid(tx, group.id, cid)
    await record_queries.set_predecessor(tx, group.id, parsed_group.predecessor)
    await _update_memberships_and_events(tx, group)
    for later in await _successors_of(tx, uri):
        await _update_memberships_and_events(tx, later)


async def remove(tx: Transaction, uri: str) -> None:
    """Remove the group of a deleted record. Its events stay, without a group."""
    group = await record_queries.by_record(tx, uri)
    locked = await queries.lock(tx, group.id) if group is not None and group.is_read_only else None
    if locked is None or locked.deleted_at is not None:
        return
    deleted_group = replace(locked, deleted_at=tx.now, revision=locked.revision + 1, updated_at=tx.now)
    await queries.update(tx, deleted_group)
    await leave_network_group(tx, deleted_group.id)
    for later in await _successors_of(tx, uri):
        await _update_memberships_and_events(tx, later)


async def apply_statement(tx: Transaction, did: Did, uri: str, statement: GroupStatement) -> None:
    """Apply a repository's statement about a group. Its effects also depend on other people's statements."""
    before = await record_queries.find(tx, uri)
    stated = MembershipStatement(uri, did, statement.group_uri, statement.about, statement.role, statement.refers_to)
    if before == stated:
        return
    await record_queries.put(tx, statement.kind.value, stated)
    if before is not None and (before.group_uri, before.about) != (stated.group_uri, stated.about):
        await _apply_effects(tx, statement.kind, before, is_new=False)
    await _apply_effects(tx, statement.kind, stated, is_new=True)
    if statement.kind is StatementKind.MEMBERSHIP:
        await restored_records.attach_membership(tx, uri, stated.group_uri)


async def withdraw_statement(tx: Transaction, kind: StatementKind, uri: str) -> None:
    """Apply the deletion of a repository's statement about a group."""
    before = await record_queries.forget(tx, uri)
    if before is not None:
        await _apply_effects(tx, kind, before, is_new=False)


async def erase_from(tx: Transaction, did: str) -> None:
    """Remove the statements about groups and members of a DID whose account was deleted, and its groups."""
    for kind in StatementKind:
        for stated in await record_queries.erase_of(tx, did, kind.value):
            await _apply_effects(tx, kind, stated, is_new=False)
    for group_id in await record_queries.forget_records_of(tx, did):
        await links.make_references_due(tx, group_id)
    for group_id in await record_queries.groups_of_repository(tx, did):
        group = await queries.lock(tx, group_id)
        if group is None:
            continue
        blank = replace(group.details, name="", description="", locality="", country="", join_question="")
        erased_group = replace(group, details=blank, deleted_at=tx.now, revision=group.revision + 1, updated_at=tx.now)
        await queries.update(tx, erased_group)
        # A keyed hash of the URI stays (``records.erased_records``). A group from the network must have a record URI,
        # and this one does not reveal its owner.
        await record_queries.set_record(tx, group_id, f"erased://{group_id}/", None)
        await record_queries.set_predecessor(tx, group_id, "")
        await leave_network_group(tx, group_id)


def groups_named_by(parsed_messages: Iterable[ParsedMessage]) -> set[str]:
    """Return the groups that these events refer to. The two may arrive in either order."""
    return {read_link(one.record) for one in parsed_messages if one.event is not None} - {""}


def concerns_group(record: Mapping[str, object], event: Event, switches: Switches) -> bool:
    """Whether a version of a network event refers to a group, or the event belongs to a group that the version may no
    longer refer to.
    """
    return Flag.GROUPS in switches and (event.group is not None or bool(read_link(record)))


async def attribute(tx: Transaction, event_id: EventId) -> None:
    """Assign a network event to its group if both sides state it; otherwise to no group."""
    event = await event_queries.by_id(tx, event_id)
    seen_record = None if event is None or event.record_uri is None else await seen.find(tx, event.record_uri)
    if event is None or seen_record is None or event.origin is not RecordOrigin.NETWORK:
        return
    group_uri = read_link(_record(seen_record.body))
    group = await record_queries.by_record(tx, group_uri) if group_uri else None
    is_theirs = group is not None and group.is_read_only and group.deleted_at is None
    if group is not None and is_theirs:
        is_same = parse_at_uri(group_uri).authority == seen_record.did
        listed = await record_queries.about(tx, StatementKind.EVENT.value, [group_uri], [seen_record.uri])
        is_theirs = is_same or bool(listed)
    await set_network_group(tx, event_id, group.id if group is not None and is_theirs else None)


async def predecessor_uris(reader: Reader, uri: str) -> list[str]:
    """Return the records that this one succeeds, newest first. Each one either names a record that came after it, which
    may be a later one than the next, or lists the next one's author among its backup admins.
    """
    uris: list[str] = []
    current_uri = uri
    while len(uris) < _LONGEST_CHAIN:
        parsed_group = await _group_at(reader, current_uri)
        before = (
            None
            if parsed_group is None or not parsed_group.predecessor
            else await _group_at(reader, parsed_group.predecessor)
        )
        if parsed_group is None or before is None or parsed_group.predecessor in {uri, *uris}:
            break
        is_named = before.successor in {uri, *uris}
        if not is_named and parse_at_uri(current_uri).authority not in before.backup_admins:
            break
        current_uri = parsed_group.predecessor
        uris.append(current_uri)
    return uris


async def _apply_effects(tx: Transaction, kind: StatementKind, stated: MembershipStatement, *, is_new: bool) -> None:
    """Apply what a statement changes, or its end unless ``is_new``: the group of an event, or a membership. One of our
    groups decides about its members; in groups of other installations they follow from the statements of both sides.
    """
    if kind is StatementKind.EVENT:
        event = await event_records.by_record_uri(tx, stated.about)
        if event is not None:
            await attribute(tx, event.id)
        return
    group = await record_queries.by_any_record(tx, stated.group_uri)
    if group is not None and not group.is_read_only:
        if kind is StatementKind.MEMBERSHIP:
            await (_apply_membership if is_new else _withdraw)(tx, group, stated)
        if is_new:
            await local_groups.admit(tx, group, stated.about)
        return
    concerned = [] if group is None else [group]
    for one in (*concerned, *await _successors_of(tx, stated.group_uri)):
        await _update_membership(tx, one, stated.about)


async def _update_membership(tx: Transaction, group: Group, did: str) -> None:
    """Update somebody's membership in a group of another installation, purely from the statements of both sides."""
    locked = await queries.lock(tx, group.id)
    uri = None if locked is None else locked.network.record_uri
    if locked is None or uri is None:
        return
    person = await identity_queries.of_person_with(tx, did)
    dids = [str(one.did) for one in person] or [did]
    stated = await record_queries.about(
        tx, StatementKind.MEMBERSHIP.value, [uri, *await predecessor_uris(tx, uri)], dids
    )
    user_id = person[0].user_id if person else None
    membership = None if user_id is None else await queries.find_member(tx, locked.id, user_id)
    # A statement written here counts only while its member wants it. While it is being retracted, it does not count.
    own_uris = await publication_queries.with_publication_among(tx, [one.uri for one in stated])
    stated = [one for one in stated if one.uri not in own_uris or (membership is not None and membership.sync_enabled)]
    answered = {one.uri: one for one in stated}
    accepted = [
        one
        for one in await record_queries.about(tx, StatementKind.ACCEPTANCE.value, [uri], dids)
        if one.refers_to in answered and answered[one.refers_to].about == one.about
    ]
    if accepted and locked.deleted_at is None:
        best = min(accepted, key=lambda one: (INSIDE.index(one.role), one.uri))
        if user_id is None:
            user_id = await identity_actions.person_for_did(tx, parse_did(did))
        await _put_inside(tx, locked, user_id, membership, best)
    elif membership is not None and membership.role in INSIDE:
        await _put_outside(tx, membership, has_stated=bool(stated))


async def _put_inside(
    tx: Transaction, group: Group, user_id: UserId, current_membership: Membership | None, by: MembershipStatement
) -> None:
    membership = current_membership or queries.new_membership(tx.now, group.id, user_id, GroupRole.MEMBER)
    after = replace(
        membership,
        role=GroupRole.MEMBER,
        network_role=by.role,
        statement_uri=by.refers_to,
        joined_at=membership.joined_at or tx.now,
    )
    if current_membership == after:
        return
    before = (
        None
        if current_membership is None
        else current_membership.network_role
        if current_membership.role in INSIDE
        else current_membership.role
    )
    await queries.put_member(tx, replace(after, revision=after.revision + (0 if current_membership is None else 1)))
    act = GroupLogAction.ACCEPTED if before not in INSIDE else GroupLogAction.ROLE_CHANGED
    await audit_log.add(tx, group.id, user_id, act, by=group.owner_id, before=before, after=by.role, note=by.uri)


async def _put_outside(tx: Transaction, membership: Membership, *, has_stated: bool) -> None:
    """Make a member pending again if they have a statement from here that still exists; otherwise they have left."""
    role = GroupRole.PENDING if has_stated and membership.sync_enabled else GroupRole.LEFT
    after = replace(membership, role=role, network_role=None, revision=membership.revision + 1)
    await queries.put_member(tx, after if has_stated else replace(after, statement_uri=None))
    act = GroupLogAction.LEFT if not has_stated else GroupLogAction.REMOVED
    before = membership.network_role or membership.role
    await audit_log.add(
        tx, membership.group_id, membership.user_id, act, by=membership.user_id, before=before, after=role
    )


async def _apply_membership(tx: Transaction, group: Group, stated: MembershipStatement) -> None:
    """Handle a statement of membership, or a join request, for one of our groups: the join policy decides, and people
    who are not known here need approval.

    Banned people stay out, and nobody's role changes.
    """
    locked = await queries.lock(tx, group.id)
    if locked is None or locked.deleted_at is not None:
        return
    user_id, is_here = await identity_actions.author_for_did(tx, parse_did(stated.did))
    current_membership = await queries.find_member(tx, locked.id, user_id)
    before = current_membership.role if current_membership else None
    if before is GroupRole.BANNED:
        return
    if before in INSIDE or before is GroupRole.PENDING:
        assert current_membership is not None  # noqa: S101  # everyone with this role has a membership
        await _note(tx, current_membership, stated)
        return
    try:
        await raise_if_unwelcome(tx, locked.owner_id, user_id, refusal=GroupReason.CANNOT_JOIN)
        after = rules.role_after_joining(locked, before)
    except Refused:
        return
    if not is_here and await record_queries.count_remote_requests(tx, locked.id) >= MAX_ASKING:
        return
    after = after if is_here else GroupRole.PENDING
    membership = replace(
        current_membership or queries.new_membership(tx.now, locked.id, user_id, after),
        answer="",
        requested_at=tx.now if after is GroupRole.PENDING else None,
        joined_at=tx.now if after in INSIDE else None,
        decided_by=None,
        decided_at=None,
        statement_uri=stated.uri,
    )
    act = GroupLogAction.ASKED if after is GroupRole.PENDING else GroupLogAction.JOINED
    saved = await actions.put(tx, membership, after, act, by=user_id, before=before)
    if after is GroupRole.PENDING and is_here:
        await notify.of_request(tx, locked, saved)


async def _withdraw(tx: Transaction, group: Group, stated: MembershipStatement) -> None:
    """Apply the deletion of a membership statement: the member leaves. An owner stays and is only no longer listed
    publicly.
    """
    locked = await queries.lock(tx, group.id)
    membership = await record_queries.by_statement(tx, stated.uri)
    if locked is None or membership is None:
        return
    without = replace(membership, statement_uri=None, sync_enabled=False)
    if membership.role in {*BELOW_OWNER, GroupRole.PENDING}:
        await actions.put(
            tx, without, GroupRole.LEFT, GroupLogAction.LEFT, by=membership.user_id, before=membership.role
        )
    else:
        await queries.put_member(tx, replace(without, revision=membership.revision + 1))
    await publications.make_due(
        tx, kind=PublicationKind.ACCEPTANCE, subject_ids=[membership.id], resets_write_count=True
    )


async def _note(tx: Transaction, membership: Membership, stated: MembershipStatement) -> None:
    if membership.statement_uri is None:
        await queries.put_member(tx, replace(membership, statement_uri=stated.uri, revision=membership.revision + 1))


async def _update_memberships_and_events(tx: Transaction, group: Group) -> None:
    """Update all memberships and events of a group that arrived after statements about it, or that has different
    predecessors now.
    """
    uri = group.network.record_uri or ""
    group_uris = [uri, *await predecessor_uris(tx, uri)]
    for did in await record_queries.subjects_in(tx, StatementKind.ACCEPTANCE.value, [uri], limit=MAX_SUBJECTS):
        await _update_membership(tx, group, did)
    listed = await record_queries.subjects_in(tx, StatementKind.EVENT.value, group_uris[:1], limit=MAX_SUBJECTS)
    own = await seen.newest_uris(tx, parse_at_uri(uri).authority, EVENT, limit=MAX_SUBJECTS)
    for event_uri in dict.fromkeys([*listed, *own]):
        event = await event_records.by_record_uri(tx, event_uri)
        if event is not None:
            await attribute(tx, event.id)


async def _successors_of(tx: Transaction, uri: str) -> Sequence[Group]:
    """Return the network groups that succeed this record, directly or after others."""
    found: dict[str, Group] = {}
    waiting = [uri]
    while waiting and len(found) < _LONGEST_CHAIN:
        claiming = await record_queries.claiming_to_continue(tx, waiting.pop(0), limit=_LONGEST_CHAIN)
        new = {one.network.record_uri or "": one for one in claiming if one.network.record_uri not in {uri, *found}}
        found |= new
        waiting += new
    return [one for at, one in found.items() if uri in await predecessor_uris(tx, at)]


async def _group_at(reader: Reader, uri: str) -> ParsedGroup | None:
    seen_record = await seen.find(reader, uri)
    if seen_record is None or seen_record.body is None or seen_record.state is not RecordState.MAPPED:
        return None
    try:
        return read_group(seen_record.collection, cbor.decode(seen_record.body))
    except (Malformed, Unmappable):
        return None


def _details(parsed_group: ParsedGroup) -> GroupDetails:
    return GroupDetails(
        name=parsed_group.name,
        time_zone=parsed_group.time_zone,
        description=parsed_group.description,
        locality=parsed_group.locality,
        country=parsed_group.country,
        join_policy=parsed_group.join_policy if parsed_group.join_policy is not JoinPolicy.OPEN else JoinPolicy.REQUEST,
        join_question=parsed_group.join_question,
        promotion_level=parsed_group.level,
    )


def _record(body: bytes | None) -> dict[str, object]:
    value = None if body is None else cbor.decode(body)
    return dict(value) if isinstance(value, dict) else {}
