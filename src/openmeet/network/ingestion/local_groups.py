"""Records of groups made here that another app edited or deleted. Edits are merged with those made here, field by
field.

The record is in the group's own repository or its owner's, so a change counts as an edit by the owner. Two fields are
decided only here, because a change could publish more or let somebody take over the group: the publish level and the
backup admins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from at_protocol.data.model import Value
from at_protocol.syntax.did import parse_did
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import actions, audit_log, notify, queries, record_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import (
    INSIDE,
    Group,
    GroupDetails,
    GroupId,
    GroupLogAction,
    GroupRole,
    Membership,
    PromotionLevel,
)
from openmeet.domain.groups.ownership import published_backups
from openmeet.domain.groups.publication import BY_LEVEL, GroupPublishLevel, publish_level_of, record_holder_of
from openmeet.domain.groups.record_queries import MembershipStatement
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.merge_decisions.model import MergeReason, MergeSide
from openmeet.domain.page_paths import group_path
from openmeet.network.ingestion import merge_local
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.merge_local import record_of
from openmeet.network.ingestion.three_way_merge import MergeInput, MergeRule, MergeSides, by_most_recent
from openmeet.network.records import links, seen
from openmeet.network.records.collections import GROUP
from openmeet.network.records.group import GroupToWrite, ParsedGroup, read_group, role_of, write_group
from openmeet.network.records.group_statements import GroupStatement, StatementKind
from openmeet.network.records.places import cid_of_blob
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.versions import version_seen
from openmeet.outbox import ingested_changes, publication_queries, publications
from openmeet.outbox.ingested_changes import UnsentEdits
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, RecordVersion
from openmeet.outbox.reasons import PublicationReason

# Record fields that are details of the group, mapped to their names here.
DETAILS: Final[Mapping[str, str]] = {
    "name": "name",
    "description": "description",
    "locality": "locality",
    "country": "country",
    "time_zone": "time_zone",
    "join_policy": "join_policy",
    "join_question": "join_question",
    "level": "promotion_level",
}
# Optional keys of a record. A key that is missing is not a change to the default.
_SILENT: Final = {"timezone": "time_zone", "joining": "join_policy", "promotion": "level"}
# The record fields of a group that publishes the minimum.
_MINIMAL_FIELDS: Final = frozenset({"name", "level"})


def _decide(field: str, _was: Any, ours: Any, theirs: Any, facts: MergeInput) -> tuple[MergeReason, MergeSide, Any]:
    match field:
        case "name" | "description" | "join_question":
            return MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, ours
        case "level":
            side = MergeSide.THEIRS if theirs is PromotionLevel.MEMBERS else MergeSide.OURS
            return MergeReason.MORE_RESTRICTIVE, side, ours if side is MergeSide.OURS else theirs
        case "backup_admins":
            both = tuple(one for one in ours if one in theirs)
            side = MergeSide.OURS if both == ours else MergeSide.THEIRS if both == theirs else MergeSide.BOTH
            return MergeReason.MORE_RESTRICTIVE, side, both
        case _:
            return by_most_recent(ours, theirs, facts)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


GROUP_RULE: Final = MergeRule(
    ParsedGroup, (*((name,) for name in DETAILS), ("backup_admins",), ("avatar",)), frozenset(DETAILS), _decide, _shown
)


async def apply_record(
    tx: Transaction, context: IngestionContext, version: RecordVersion, theirs: ParsedGroup, publication: Publication
) -> None:
    """Make the group match the newest version of its record."""
    group = await queries.lock(tx, GroupId(publication.subject_id))
    if group is None:
        raise LookupError(f"publication of a group that is not here: {publication.subject_id}")
    await links.store_group_location(tx, group.id, version.uri, version.cid)
    publish_level = publish_level_of(group)
    if publish_level is GroupPublishLevel.NOTHING:
        return  # the record is being retracted, so its content does not matter
    agreed = merge_local.agreed_record(publication, version, tx.now)
    base_record = record_of(version.body) if agreed is None else agreed
    base, ours = await _base_and_ours(tx, context, group, publication, base_record, publish_level, theirs)
    base = ours if agreed is None else base
    silent = {name for key, name in _SILENT.items() if key not in record_of(version.body)}
    theirs = replace(theirs, **{name: getattr(base, name) for name in silent})
    fixed: dict[str, Any] = {"backup_admins": ours.backup_admins}
    if group.details.promotion_level is not PromotionLevel.PUBLIC:
        fixed["level"] = ours.level
    if publish_level is GroupPublishLevel.MINIMAL:
        fixed_values = {
            name: getattr(ours, name)
            for group_of in GROUP_RULE.groups
            for name in group_of
            if name not in _MINIMAL_FIELDS
        }
        base, theirs, fixed = replace(base, **fixed_values), replace(theirs, **fixed_values), {"level": ours.level}
    sides = MergeSides(base, ours, theirs)
    result = merge_local.merge_version(GROUP_RULE, publication, version, tx.now, sides, fixed)
    await _apply(tx, group, ours, result.merged.value)
    await merge_local.store_merge(tx, GROUP_RULE, publication, version, result)


async def record_deleted(
    tx: Transaction, context: IngestionContext, *, uri: str, rev: str, publication: Publication
) -> None:
    """Stop publishing a group whose record another app deleted: its owner does not want it on the network. The group
    itself stays.
    """
    group = await queries.lock(tx, GroupId(publication.subject_id))
    unsent = None if group is None else await _unsent(tx, context, group, publication)
    reason = PublicationReason.RECORD_DELETED
    if not await ingested_changes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason, unsent=unsent):
        return
    if group is not None and group.deleted_at is None and group.details.sync_enabled:
        without_sync = replace(group, details=replace(group.details, sync_enabled=False))
        after = await actions.change(tx, group, without_sync, by=record_holder_of(group), is_read=True)
        await group_hosting.apply_edit(tx, group, after)
    await links.store_group_location(tx, GroupId(publication.subject_id), None, None)


async def publish_again(tx: Transaction, group: Group) -> None:
    """Publish a locked group again, because another app restored the record that it had deleted. A group that was made
    less public in the meantime stays as it is.
    """
    level = BY_LEVEL[group.details.visibility, group.details.promotion_level]
    if level is GroupPublishLevel.NOTHING or group.details.sync_enabled:
        return
    with_sync = replace(group, details=replace(group.details, sync_enabled=True))
    after = await actions.change(tx, group, with_sync, by=record_holder_of(group), is_read=True)
    await group_hosting.apply_edit(tx, group, after)


async def _unsent(
    tx: Transaction, context: IngestionContext, group: Group, publication: Publication
) -> UnsentEdits | None:
    """Return the edits made here that the deleted record did not contain, and all values of the group, so that later
    edits are found as well.
    """
    publish_level = publish_level_of(group)
    if publish_level is GroupPublishLevel.NOTHING or publication.base_body is None:
        return None
    base_record = record_of(publication.base_body)
    try:
        agreed = read_group(GROUP, base_record)
    except Unmappable:
        return None
    base, ours = await _base_and_ours(tx, context, group, publication, base_record, publish_level, agreed)
    return merge_local.unsent_edits(GROUP_RULE, publication, base, ours)


async def differing(
    reader: Reader, context: IngestionContext, publication: Publication, body: bytes
) -> tuple[str, ...]:
    """Return the details of the group whose values in the record differ from what we would write, by their names here."""
    group = await queries.by_id(reader, GroupId(publication.subject_id))
    publish_level = GroupPublishLevel.NOTHING if group is None else publish_level_of(group)
    if group is None or publish_level is GroupPublishLevel.NOTHING:
        return ()
    theirs = read_group(GROUP, record_of(body))
    ours = await _stated_here(reader, context, group, publish_level, record_of(body))
    compared = _MINIMAL_FIELDS if publish_level is GroupPublishLevel.MINIMAL else DETAILS.keys()
    return tuple(sorted(DETAILS[name] for name in compared if getattr(ours, name) != getattr(theirs, name)))


def details_with(details: GroupDetails, values: Mapping[str, Any]) -> GroupDetails:
    """Return the details with the values of these record fields."""
    return replace(details, **{DETAILS[name]: value for name, value in values.items() if name in DETAILS})


async def _base_and_ours(
    tx: Transaction,
    context: IngestionContext,
    group: Group,
    publication: Publication,
    base_record: dict[str, Value],
    publish_level: GroupPublishLevel,
    theirs: ParsedGroup,
) -> tuple[ParsedGroup, ParsedGroup]:
    """Return the agreed version, and what the group's record would contain now, both in parsed form."""
    ours = await _stated_here(tx, context, group, publish_level, base_record)
    try:
        base = read_group(GROUP, base_record)
    except Unmappable:
        base = theirs
    return base, replace(
        ours, avatar=_our_avatar(group, publication, merge_local.compared_value(GROUP_RULE, publication, base).avatar)
    )


async def _stated_here(
    reader: Reader,
    context: IngestionContext,
    group: Group,
    publish_level: GroupPublishLevel,
    previous: Mapping[str, Value],
) -> ParsedGroup:
    """Return what the group's record would contain if it replaced ``previous`` now."""
    page = f"{context.instance}{group_path(group.slug)}"
    group_out = GroupToWrite(group, publish_level, page, await published_backups(reader, group))
    return read_group(GROUP, write_group(group_out, previous))


def _our_avatar(group: Group, publication: Publication, agreed: str) -> str:
    """Return the CID of our picture, or a placeholder if a picture was chosen here and has no CID yet."""
    network = group.network
    if network.avatar_cid is not None:
        return network.avatar_cid
    if network.picture_revision <= publication.completed_revision:
        return agreed
    if publication.chosen_revision is not None and publication.chosen_revision >= network.picture_revision:
        return cid_of_blob(record_of(publication.chosen_body).get("avatar")) or ""
    return "" if group.picture is None else f"picture {group.picture.key}"


async def _apply(tx: Transaction, group: Group, ours: ParsedGroup, merged: ParsedGroup) -> None:
    """Apply the merged fields. Fields that the merge did not change keep the row's own values, because a record
    contains fewer details.
    """
    changed = {name: getattr(merged, name) for name in DETAILS if getattr(merged, name) != getattr(ours, name)}
    changed_group = replace(group, details=details_with(group.details, changed))
    if merged.avatar != ours.avatar:
        network = replace(group.network, avatar_cid=merged.avatar or None, picture_revision=0)
        changed_group = replace(changed_group, picture=None, network=network)
    if set(ours.backup_admins) - set(merged.backup_admins):
        changed_group = replace(
            changed_group, succession_plan=replace(group.succession_plan, backup_admin_id=None, backup_admin_did=None)
        )
    if changed_group == group:
        return
    after = await actions.change(tx, group, changed_group, by=record_holder_of(group), is_read=True)
    await group_hosting.apply_edit(tx, group, after)
    if publish_level_of(after) is not publish_level_of(group):
        # Retract what exceeds the current publish level.
        await publications.make_due(tx, kind=PublicationKind.GROUP, subject_ids=[group.id])


@dataclass(frozen=True, slots=True)
class AcceptedRole:
    """The role that an acceptance gives its member."""

    role: GroupRole


def _later(_field: str, _was: Any, ours: Any, theirs: Any, facts: MergeInput) -> tuple[MergeReason, MergeSide, Any]:
    return by_most_recent(ours, theirs, facts)


def _here(_field: str, _was: Any, ours: Any, _theirs: Any, _facts: MergeInput) -> tuple[MergeReason, MergeSide, Any]:
    return MergeReason.ORIGIN_WINS, MergeSide.OURS, ours


_GIVEN_ANYWHERE: Final = MergeRule(AcceptedRole, (("role",),), frozenset(), _later)
_GIVEN_HERE: Final = MergeRule(AcceptedRole, (("role",),), frozenset(), _here)


async def apply_acceptance(
    tx: Transaction, version: RecordVersion, stated: GroupStatement, publication: Publication
) -> None:
    """Apply a version of the group's acceptance of a member that another app has changed."""
    group_and_member = await _group_and_member(tx, publication)
    if group_and_member is None:
        return  # it is being retracted
    group, membership = group_and_member
    if not await _is_about(tx, group, membership, stated):
        await merge_local.store_unapplied_version(tx, publication, version, why=RecordReason.NO_STATEMENT_OF_MEMBER)
        return
    base = AcceptedRole(
        stated.role if publication.base_body is None else role_of(record_of(publication.base_body).get("role"))
    )
    ours, theirs = AcceptedRole(membership.role), AcceptedRole(stated.role)
    _, is_here = await identity_actions.author_for_did(tx, parse_did(stated.about))
    is_fixed = GroupRole.OWNER in {membership.role, stated.role} or not is_here
    rule, fixed = (_GIVEN_HERE, {"role": membership.role}) if is_fixed else (_GIVEN_ANYWHERE, {})
    sides = MergeSides(base, ours, theirs)
    result = merge_local.merge_version(rule, publication, version, tx.now, sides, fixed)
    if result.merged.value != ours:
        await _put(tx, group, membership, result.merged.value.role, GroupLogAction.ROLE_CHANGED, before=membership.role)
    await merge_local.store_merge(tx, rule, publication, version, result)


async def differing_members(reader: Reader, publication: Publication, body: bytes) -> tuple[str, ...]:
    """Return ``("role",)`` if the acceptance gives its member a different role than they have here."""
    membership = next(iter((await members_by_ids(reader, [publication.subject_id])).values()), None)
    if membership is None or membership.role not in INSIDE:
        return ()
    return () if role_of(record_of(body).get("role")) is membership.role else ("role",)


async def acceptance_deleted(tx: Transaction, *, uri: str, rev: str, publication: Publication) -> None:
    """Remove the member whose acceptance another app has deleted. An owner stays a member and is only no longer listed
    publicly.
    """
    reason = PublicationReason.RECORD_DELETED
    if not await ingested_changes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason):
        return
    group_and_member = await _group_and_member(tx, publication)
    if group_and_member is None:
        return
    group, membership = group_and_member
    # If the group's own record is deleted as well, the group has left the network and nobody was removed.
    if membership.role is not GroupRole.OWNER and group.network.record_uri is not None:
        await _put(tx, group, membership, GroupRole.LEFT, GroupLogAction.REMOVED, before=membership.role)


async def admit(tx: Transaction, group: Group, did: str) -> None:
    """Add a member whom another app admitted. This requires the member's own statement and an acceptance in the group's
    repository.
    """
    locked = await queries.lock(tx, group.id)
    uri = None if locked is None or locked.deleted_at is not None else locked.network.record_uri
    if locked is None or uri is None:
        return
    person = await identity_queries.of_person_with(tx, did)
    dids = [str(one.did) for one in person] or [did]
    own = [uri, *await record_queries.superseded_uris(tx, locked.id)]
    stated = {one.uri: one for one in await record_queries.about(tx, StatementKind.MEMBERSHIP.value, own, dids)}
    accepted = [
        one
        for one in await record_queries.about(tx, StatementKind.ACCEPTANCE.value, [uri], dids)
        if one.refers_to in stated and stated[one.refers_to].about == one.about
    ]
    ours = await publication_queries.with_publication_among(tx, [one.uri for one in accepted])
    member_statement = next((one for one in accepted if one.uri not in ours), None)
    if member_statement is not None:
        await _let_in(tx, locked, member_statement)


async def _let_in(tx: Transaction, group: Group, by: MembershipStatement) -> None:
    user_id, is_here = await identity_actions.author_for_did(tx, parse_did(by.about))
    current_membership = await queries.find_member(tx, group.id, user_id)
    before = current_membership.role if current_membership else None
    publication = (
        None
        if current_membership is None
        else await publication_queries.find(tx, PublicationKind.ACCEPTANCE, current_membership.id)
    )
    if before in {GroupRole.BANNED, GroupRole.OWNER} or (publication is not None and publication.uri is not None):
        return
    role = by.role if is_here and by.role is not GroupRole.OWNER else GroupRole.MEMBER
    membership = current_membership or queries.new_membership(tx.now, group.id, user_id, role)
    membership = replace(membership, statement_uri=by.refers_to, joined_at=membership.joined_at or tx.now)
    act = GroupLogAction.ROLE_CHANGED if before in INSIDE else GroupLogAction.APPROVED
    if before is role:
        await queries.put_member(tx, replace(membership, revision=membership.revision + 1))
    else:
        membership = await _put(tx, group, membership, role, act, before=before)
    seen_record = await seen.find(tx, by.uri)
    version = None if seen_record is None else version_seen(seen_record)
    if version is None:
        return
    # This is now the record to update; a second one must never be written.
    await ingested_changes.attach_foreign_record(tx, version, kind=PublicationKind.ACCEPTANCE, subject_id=membership.id)
    await ingested_changes.accept_foreign_version(tx, version)


async def _group_and_member(tx: Transaction, publication: Publication) -> tuple[Group, Membership] | None:
    """Return the group (locked) and the member; None if either is missing or the member has left."""
    membership = next(iter((await members_by_ids(tx, [publication.subject_id])).values()), None)
    group = None if membership is None else await queries.lock(tx, membership.group_id)
    if membership is None or group is None or group.deleted_at is not None or membership.role not in INSIDE:
        return None
    return group, membership


async def _is_about(tx: Transaction, group: Group, membership: Membership, stated: GroupStatement) -> bool:
    """Whether this is an acceptance that names the group's current record and this member."""
    if stated.kind is not StatementKind.ACCEPTANCE or stated.group_uri != group.network.record_uri:
        return False
    identity = await identity_queries.find(tx, stated.about)
    return identity is not None and identity.user_id == membership.user_id


async def _put(
    tx: Transaction,
    group: Group,
    membership: Membership,
    role: GroupRole,
    act: GroupLogAction,
    *,
    before: GroupRole | None,
) -> Membership:
    by = record_holder_of(group)
    decided = replace(membership, decided_by=by, decided_at=tx.now)
    saved = await actions.put(tx, decided, role, act, by=by, before=before, note=audit_log.IN_ANOTHER_APP)
    if act is GroupLogAction.ROLE_CHANGED and before is not None:
        await notify.of_role(tx, group, saved, before)
    elif act is GroupLogAction.APPROVED:
        await notify.of_decision(tx, group, saved)
    return saved
