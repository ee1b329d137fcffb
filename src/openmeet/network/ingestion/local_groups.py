"""The record of a group made here, edited or deleted by another app: joined with what was edited here, field by field.

It stands in the repository that speaks for the group, so its word counts as an edit of whoever that is. What could let more out, or
let somebody take the group over, is decided here alone: how much is published, and who may continue it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from at_protocol.data.model import Value
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import actions, queries
from openmeet.domain.groups.model import Group, GroupDetails, GroupId, PromotionLevel
from openmeet.domain.groups.ownership import named_backups
from openmeet.domain.groups.publication import Share, share_of, speaker_of
from openmeet.network.ingestion import merge_local
from openmeet.network.ingestion.events import Here, Version
from openmeet.network.ingestion.merge_local import record_of
from openmeet.network.ingestion.three_way import Facts, Policy, Side, Way, by_most_recent
from openmeet.network.records import group_records
from openmeet.network.records.collections import GROUP
from openmeet.network.records.group import GroupOut, GroupRead, read_group, write_group
from openmeet.network.records.media import cid_of_blob
from openmeet.network.records.reader import Unmappable
from openmeet.outbox import publication_echoes, publications
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind

# What of a record is a detail of the group, and what that is called here.
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
# Keys of which a record need not speak; their readers' defaults are no change.
_SILENT: Final = {"timezone": "time_zone", "joining": "join_policy", "promotion": "level"}
# All that a record says where its group lets out the least.
_LEAST: Final = frozenset({"name", "level"})


def _decide(field: str, _was: Any, ours: Any, theirs: Any, facts: Facts) -> tuple[Policy, Side, Any]:
    match field:
        case "name" | "description" | "join_question":
            return Policy.MANUAL_EDIT_IS_KEPT, Side.OURS, ours
        case "level":
            side = Side.THEIRS if theirs is PromotionLevel.MEMBERS else Side.OURS
            return Policy.MORE_RESTRICTIVE, side, ours if side is Side.OURS else theirs
        case "backup_admins":
            both = tuple(one for one in ours if one in theirs)
            side = Side.OURS if both == ours else Side.THEIRS if both == theirs else Side.BOTH
            return Policy.MORE_RESTRICTIVE, side, both
        case _:
            return by_most_recent(ours, theirs, facts)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


WAY: Final = Way(
    GroupRead, (*((name,) for name in DETAILS), ("backup_admins",), ("avatar",)), frozenset(DETAILS), _decide, _shown
)


async def take_over(tx: Transaction, here: Here, version: Version, theirs: GroupRead, owned: Publication) -> None:
    """Make the group agree with the newest version of its record."""
    group = await queries.lock(tx, GroupId(owned.subject_id))
    if group is None:
        raise LookupError(f"publication of a group that is not here: {owned.subject_id}")
    await group_records.note(tx, Kind.GROUP, group.id, uri=version.uri, cid=version.cid)
    share = share_of(group)
    if share is Share.NOTHING:
        return  # whatever it says: it is being taken back
    base_record = record_of(owned.base_body or version.body)
    base, ours = await _base_and_ours(tx, here, group, owned, base_record, share, theirs)
    silent = {name for key, name in _SILENT.items() if key not in record_of(version.body)}
    theirs = replace(theirs, **{name: getattr(base, name) for name in silent})
    held: dict[str, Any] = {"backup_admins": ours.backup_admins}
    if group.details.promotion_level is not PromotionLevel.PUBLIC:
        held["level"] = ours.level
    if share is Share.LEAST:
        kept = {name: getattr(ours, name) for group_of in WAY.groups for name in group_of if name not in _LEAST}
        base, theirs, held = replace(base, **kept), replace(theirs, **kept), {"level": ours.level}
    joined = merge_local.join(WAY, owned, version, tx.now, (base, ours, theirs), held)
    await _apply(tx, group, ours, joined.merged.value)
    await merge_local.keep(tx, WAY, owned, version, joined)


async def lose(tx: Transaction, *, uri: str, rev: str, owned: Publication) -> None:
    """Another app has deleted the record: whoever speaks for the group wants it off the network. Here it stays as it is."""
    reason = "The record was deleted in the repository."
    if not await publication_echoes.lose(tx, uri=uri, rev=rev, reason=reason):
        return
    group = await queries.lock(tx, GroupId(owned.subject_id))
    if group is not None and group.deleted_at is None and group.details.sync_enabled:
        wanted = replace(group, details=replace(group.details, sync_enabled=False))
        after = await actions.change(tx, group, wanted, by=speaker_of(group), is_read=True)
        await group_hosting.follow_up(tx, group, after)
    await group_records.note(tx, Kind.GROUP, owned.subject_id, uri=None, cid=None)


async def differing(reader: Reader, here: Here, owned: Publication, body: bytes) -> tuple[str, ...]:
    """Details of the group that its record says otherwise than we would write them, as they are called here."""
    group = await queries.by_id(reader, GroupId(owned.subject_id))
    share = Share.NOTHING if group is None else share_of(group)
    if group is None or share is Share.NOTHING:
        return ()
    theirs = read_group(GROUP, record_of(body))
    ours = await _said_here(reader, here, group, share, record_of(body))
    compared = _LEAST if share is Share.LEAST else DETAILS.keys()
    return tuple(sorted(DETAILS[name] for name in compared if getattr(ours, name) != getattr(theirs, name)))


def details_with(details: GroupDetails, values: Mapping[str, Any]) -> GroupDetails:
    """The details with these fields of a record."""
    return replace(details, **{DETAILS[name]: value for name, value in values.items() if name in DETAILS})


async def _base_and_ours(
    tx: Transaction,
    here: Here,
    group: Group,
    owned: Publication,
    base_record: dict[str, Value],
    share: Share,
    theirs: GroupRead,
) -> tuple[GroupRead, GroupRead]:
    """What was agreed on, and what the group's record would say now, as that is read."""
    ours = await _said_here(tx, here, group, share, base_record)
    try:
        base = read_group(GROUP, base_record)
    except Unmappable:
        base = theirs
    return base, replace(ours, avatar=_our_avatar(group, owned, merge_local.since(WAY, owned, base).avatar))


async def _said_here(
    reader: Reader, here: Here, group: Group, share: Share, previous: Mapping[str, Value]
) -> GroupRead:
    """What the group's record would say if it was written now in place of ``previous``."""
    page = f"{here.instance}/groups/{quote(group.slug)}"
    out = GroupOut(group, share, page, await named_backups(reader, group))
    return read_group(GROUP, write_group(out, previous))


def _our_avatar(group: Group, owned: Publication, agreed: str) -> str:
    """The CID of the picture that we say, or a name for one that was chosen here and has none yet."""
    known = group.network
    if known.avatar_cid is not None:
        return known.avatar_cid
    if known.picture_revision <= owned.sent_revision:
        return agreed
    if owned.chosen_revision is not None and owned.chosen_revision >= known.picture_revision:
        return cid_of_blob(record_of(owned.chosen_body).get("avatar")) or ""
    return "" if group.picture is None else f"picture {group.picture.key}"


async def _apply(tx: Transaction, group: Group, ours: GroupRead, merged: GroupRead) -> None:
    """Fields that the merge left alone keep the row's own values: a record says less."""
    changed = {name: getattr(merged, name) for name in DETAILS if getattr(merged, name) != getattr(ours, name)}
    wanted = replace(group, details=details_with(group.details, changed))
    if merged.avatar != ours.avatar:
        network = replace(group.network, avatar_cid=merged.avatar or None, picture_revision=0)
        wanted = replace(wanted, picture=None, network=network)
    if set(ours.backup_admins) - set(merged.backup_admins):
        wanted = replace(wanted, keeping=replace(group.keeping, backup_admin_id=None, backup_admin_did=None))
    if wanted == group:
        return
    after = await actions.change(tx, group, wanted, by=speaker_of(group), is_read=True)
    await group_hosting.follow_up(tx, group, after)
    if share_of(after) is not share_of(group):
        # What is more than it lets out now, is taken back.
        await publications.look_again(tx, kind=Kind.GROUP, subject_ids=[group.id])
