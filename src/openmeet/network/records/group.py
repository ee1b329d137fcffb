"""Group records: profile, join policy, roles and backup admins.

Source: our Lexicon ``openmeet.lexicon.group``. Only our own keys are written: keys that others added to the record or
to a role in it stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.domain.events.values import Venue
from openmeet.domain.groups import queries
from openmeet.domain.groups.model import (
    INSIDE,
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_QUESTION,
    Group,
    GroupRole,
    JoinPolicy,
    PromotionLevel,
)
from openmeet.domain.groups.publication import GroupPublishLevel, publish_level_of
from openmeet.domain.groups.rules import ALLOWED
from openmeet.network.records.collections import GROUP, GROUP_COLLECTIONS
from openmeet.network.records.places import ADDRESS, ParsedPicture, PictureToWrite, blob_value, cid_of_blob, entries_of
from openmeet.network.records.preserve import keep_unchanged_keys, with_fields
from openmeet.network.records.reading_notes import Unmappable, line_of, of_another_type, text_of, token_of
from openmeet.network.records.reasons import RecordReason
from openmeet.recurrence.wall_time import zone_names

MAX_BACKUPS: Final = 16
_MAX_PART: Final = 200


@dataclass(frozen=True, slots=True)
class StrongRef:
    """A reference to a specific version of a record (``com.atproto.repo.strongRef``)."""

    uri: str
    cid: str


@dataclass(frozen=True, slots=True)
class GroupToWrite:
    """The public part of a group. ``backup_admins``: those who agreed to be named."""

    group: Group
    publish_level: GroupPublishLevel
    page_url: str
    backup_admins: tuple[Did, ...] = ()
    predecessor: StrongRef | None = None
    avatar: PictureToWrite | None = None


@dataclass(frozen=True, slots=True)
class ParsedGroup:
    """The content of a record. Missing fields have empty values."""

    name: str
    description: str
    locality: str
    country: str
    time_zone: str
    join_policy: JoinPolicy
    join_question: str
    level: PromotionLevel
    backup_admins: tuple[Did, ...]
    predecessor: str
    successor: str
    avatar: str = ""


# Keys that we write, and the fields that they correspond to. A minimal record has only the first two.
_MEANINGS: Final = (
    ("name", ("name",)),
    ("promotion", ("level",)),
    ("description", ("description",)),
    ("location", ("locality", "country")),
    ("timezone", ("time_zone",)),
    ("joining", ("join_policy",)),
    ("criteria", ("join_question",)),
)


def write_group(
    ours: GroupToWrite, previous: Mapping[str, Value] | None, agreed: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """Write a group into its record: return the record to store in place of ``previous``. Idempotent.

    A key whose meaning did not change stays as another app wrote it. ``agreed``: the last version that was understood,
    used if ``previous`` cannot be understood. Content that was not changed here since then stays.
    """
    details, is_all = ours.group.details, ours.publish_level is GroupPublishLevel.FULL
    before = previous or {}
    fields: dict[str, Value] = {
        "name": details.name,
        "website": ours.page_url,
        "promotion": details.promotion_level.value,
        "description": (details.description or None) if is_all else None,
        "avatar": _avatar(ours, before) if is_all else None,
        "location": _location(before, details.locality, details.country) if is_all else None,
        "timezone": details.time_zone if is_all and details.time_zone in zone_names() else None,
        "joining": f"{GROUP}#{details.join_policy.value}" if is_all else None,
        "criteria": (details.join_question or None) if is_all else None,
        "roles": _roles(before.get("roles")) if is_all else None,
        "backupAdmins": (list(ours.backup_admins) or None) if is_all else None,
        "predecessor": None if ours.predecessor is None else _reference(ours.predecessor),
    }
    record = with_fields(before, fields)
    # A record that is written as the group's current record has no successor.
    record.pop("successor", None)
    record.setdefault("$type", GROUP)
    record.setdefault("createdAt", format_datetime(ours.group.created_at))
    now, was = _understood(record), _understood(before) or _understood(agreed)
    if was is not None and now is not None:
        meanings = _MEANINGS if is_all else _MEANINGS[:2]
        keep_unchanged_keys(record, before, [(key, _parts(was, parts), _parts(now, parts)) for key, parts in meanings])
    site, page = ours.page_url.rpartition("/")[0], before.get("website")
    if isinstance(page, str) and page.startswith(f"{site}/") and {**record, "website": page} == before:
        # The page can be reached under the group's former slug, so a changed slug alone is no reason to write.
        return dict(before)
    return record


def read_avatar(record: Mapping[str, object]) -> ParsedPicture | None:
    """Return the group's picture, for which the Lexicon has no field; None if the record has none."""
    cid = cid_of_blob(record.get("avatar"))
    return ParsedPicture(cid, "", 0, 0) if cid else None


def write_superseded(successor_uri: str, previous: Mapping[str, Value]) -> dict[str, Value]:
    """Return the record of a group that has a successor: unchanged except for the successor."""
    return {**previous, "successor": successor_uri}


def read_group(collection: str, record: object) -> ParsedGroup:
    """Read a decoded group record. Raises Unmappable with the sentence to store with the record."""
    if not isinstance(record, Mapping):
        raise Unmappable(RecordReason.NOT_A_MAP)
    declared = record.get("$type")
    if declared is not None and declared not in GROUP_COLLECTIONS:
        raise of_another_type(declared, collection)
    name = line_of(record.get("name"), MAX_NAME)
    if not name:
        raise Unmappable(RecordReason.NO_GROUP_NAME)
    zone, place = record.get("timezone"), record.get("location")
    address = place if isinstance(place, Mapping) else {}
    return ParsedGroup(
        name=name,
        description=(text_of(record.get("description")) or "")[:MAX_DESCRIPTION],
        locality=line_of(address.get("locality"), _MAX_PART),
        country=line_of(address.get("country"), _MAX_PART),
        time_zone=zone if isinstance(zone, str) and zone in zone_names() else "UTC",
        join_policy=_policy(record.get("joining")),
        join_question=line_of(record.get("criteria"), MAX_QUESTION),
        level=PromotionLevel.MEMBERS if record.get("promotion") == "members" else PromotionLevel.PUBLIC,
        backup_admins=_dids(record.get("backupAdmins")),
        predecessor=uri_of_group(_uri_in(record.get("predecessor"))),
        successor=uri_of_group(record.get("successor")),
        avatar=cid_of_blob(record.get("avatar")) or "",
    )


def is_group_of(instance: str, record: Mapping[str, object]) -> bool:
    """Whether the record says that it is of a group on this installation. Anybody can write that."""
    page = record.get("website")
    return isinstance(page, str) and page.startswith(f"{instance}/groups/")


def uri_of_group(value: object) -> str:
    """Return the URI of a group's record under a DID in canonical form; empty for anything else."""
    try:
        uri = parse_at_uri(value) if isinstance(value, str) else None
        if uri is None or uri.rkey is None or uri.collection not in GROUP_COLLECTIONS:
            return ""
        return f"at://{parse_did(uri.authority)}/{uri.collection}/{uri.rkey}"
    except Malformed:
        return ""


def _understood(record: Mapping[str, Value] | None) -> ParsedGroup | None:
    try:
        return None if record is None else read_group(GROUP, record)
    except Unmappable:
        return None


def _parts(group: ParsedGroup, names: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(getattr(group, name) for name in names)


def _avatar(ours: GroupToWrite, before: Mapping[str, Value]) -> Value:
    if ours.avatar is not None:
        return blob_value(ours.avatar)
    return None if ours.group.network.avatar_cid is None else before.get("avatar")


def _policy(value: object) -> JoinPolicy:
    """Read the join policy. Without a valid one people have to request membership, so that nobody is admitted by
    mistake.
    """
    word = token_of(value) if isinstance(value, str) else ""
    return JoinPolicy(word) if word in {policy.value for policy in JoinPolicy} else JoinPolicy.REQUEST


def _dids(value: object) -> tuple[Did, ...]:
    dids: dict[Did, None] = {}
    for one in value[:MAX_BACKUPS] if isinstance(value, list) else []:
        try:
            dids[parse_did(one)] = None
        except (Malformed, TypeError):
            continue
    return tuple(dids)


def _uri_in(value: object) -> object:
    return value.get("uri") if isinstance(value, Mapping) else None


def _reference(to: StrongRef) -> Value:
    return {"uri": to.uri, "cid": to.cid}


def _location(before: Mapping[str, Value], locality: str, country: str) -> Value:
    """Return the address if the country is known, because the address Lexicon requires one."""
    location_entry = next((entry for entry in entries_of(Venue(locality=locality, country=country))), None)
    previous_location = before.get("location")
    if not isinstance(location_entry, dict) or not isinstance(previous_location, dict):
        return location_entry
    rest = {key: value for key, value in previous_location.items() if key not in {"locality", "country"}}
    return {**rest, **location_entry, "$type": ADDRESS}


def _roles(before: Value) -> Value:
    """Return the existing roles and their permissions. Roles that another app added stay, after ours."""
    previous_roles = (
        {one.get("name"): one for one in before if isinstance(one, dict)} if isinstance(before, list) else {}
    )
    ours: list[Value] = []
    for role in INSIDE:
        token, allowed = ROLE_TOKENS[role], sorted(one.value for one in ALLOWED[role])
        ours.append({**previous_roles.pop(token, {}), "name": token, "permissions": list(allowed)})
    return ours + list(previous_roles.values())


# The token of each role in records. People without a token are no members.
ROLE_TOKENS: Final[Mapping[GroupRole, str | None]] = {
    GroupRole.OWNER: f"{GROUP}#owner",
    GroupRole.ADMIN: f"{GROUP}#admin",
    GroupRole.MODERATOR: f"{GROUP}#moderator",
    GroupRole.MEMBER: f"{GROUP}#member",
    GroupRole.PENDING: None,
    GroupRole.DECLINED: None,
    GroupRole.LEFT: None,
    GroupRole.BANNED: None,
}

_BY_WORD: Final = {role.value: role for role in INSIDE}


def role_of(value: object) -> GroupRole:
    """Return the role that a record names. An unknown role counts as plain membership."""
    return _BY_WORD.get(token_of(value), GroupRole.MEMBER) if isinstance(value, str) else GroupRole.MEMBER


async def group_part(reader: Reader, event: Event) -> str | None:
    """Return the URI of the group to name in an event; None if only the minimum of the event is public, or if the group
    is not fully public.
    """
    if event.group is None or reach_of(event) is not PublishLevel.FULL:
        return None
    group = await queries.by_id(reader, event.group.id)
    return (
        None
        if group is None or group.is_hidden or publish_level_of(group) is not GroupPublishLevel.FULL
        else group.network.record_uri
    )
