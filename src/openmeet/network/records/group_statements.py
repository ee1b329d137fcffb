"""Statements about groups in repositories: by a member about their membership, by a group about a member, and by both
sides about an event.

No statement counts on its own. A membership exists if the member's statement (``openmeet.lexicon.groupMembership``, in
their repository) and the group's acceptance (``.groupAcceptance``, in the repository that has the group's record)
agree; the acceptance decides the role. An event belongs to a group if the event names the group (``.groupLink``) and
the group lists the event (``.groupEvent``), or both are in the same repository. The author of a statement is always the
owner of its repository; an author named in the record is ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from openmeet.domain.groups.model import GroupRole
from openmeet.network.records.collections import (
    ACCEPTANCE,
    ACCEPTANCE_COLLECTIONS,
    EVENTS,
    GROUP_EVENT,
    GROUP_EVENT_COLLECTIONS,
    GROUP_LINK_KEY,
    GROUP_LINK_KEYS,
    MEMBERSHIP,
    MEMBERSHIP_COLLECTIONS,
)
from openmeet.network.records.group import StrongRef, role_of, uri_of_group
from openmeet.network.records.reading_notes import Unmappable, of_another_type
from openmeet.network.records.reasons import RecordReason


class StatementKind(StrEnum):
    """The kind of a statement."""

    MEMBERSHIP = "membership"
    ACCEPTANCE = "acceptance"
    EVENT = "event"


OF_STATEMENTS: Final[Mapping[str, StatementKind]] = {
    **dict.fromkeys(MEMBERSHIP_COLLECTIONS, StatementKind.MEMBERSHIP),
    **dict.fromkeys(ACCEPTANCE_COLLECTIONS, StatementKind.ACCEPTANCE),
    **dict.fromkeys(GROUP_EVENT_COLLECTIONS, StatementKind.EVENT),
}


@dataclass(frozen=True, slots=True)
class GroupStatement:
    """A record that connects a group with a member or an event: a membership, its acceptance, or an event of the group.

    ``about``: the member's DID or the event's URI. ``refers_to``: the member's statement that an acceptance accepts.

    ``role`` is only meaningful in an acceptance; in other records it is always ``member``.
    """

    kind: StatementKind
    group_uri: str
    about: str
    role: GroupRole = GroupRole.MEMBER
    refers_to: str = ""


def write_membership(group_uri: str, now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
    """Build a member's membership record. Keeps ``createdAt`` and other apps' fields of ``previous``."""
    return _written(MEMBERSHIP, {"group": group_uri}, now, previous)


def write_acceptance(
    group_uri: str, member: Did, membership: StrongRef, role: str, now: Instant, previous: Mapping[str, Value] | None
) -> dict[str, Value]:
    """Build the group's acceptance of a member's statement. ``role``: one of ``group.ROLE_TOKENS``."""
    membership_reference: Value = _same_or_new((previous or {}).get("membership"), membership)
    ours: dict[str, Value] = {"group": group_uri, "member": member, "membership": membership_reference, "role": role}
    return _written(ACCEPTANCE, ours, now, previous)


def write_group_event(
    group_uri: str, event: StrongRef, now: Instant, previous: Mapping[str, Value] | None
) -> dict[str, Value]:
    """Build the group's statement that an event is one of its events."""
    listed = _same_or_new((previous or {}).get("event"), event)
    return _written(GROUP_EVENT, {"group": group_uri, "event": listed}, now, previous)


def read_statement(collection: str, did: Did, record: object) -> GroupStatement:
    """Read what the repository ``did`` states with this record. Raises Unmappable with the sentence to store with the
    record.
    """
    if not isinstance(record, Mapping):
        raise Unmappable(RecordReason.NOT_A_MAP)
    of_kind = next(
        names
        for names in (MEMBERSHIP_COLLECTIONS, ACCEPTANCE_COLLECTIONS, GROUP_EVENT_COLLECTIONS)
        if collection in names
    )
    declared = record.get("$type")
    if declared is not None and declared not in of_kind:
        raise of_another_type(declared, collection)
    group_uri = uri_of_group(record.get("group"))
    if not group_uri:
        raise Unmappable(RecordReason.NO_GROUP)
    if of_kind is MEMBERSHIP_COLLECTIONS:
        return GroupStatement(StatementKind.MEMBERSHIP, group_uri, did)
    if parse_at_uri(group_uri).authority != did:
        raise Unmappable(RecordReason.NOT_GROUPS_REPOSITORY)
    if of_kind is ACCEPTANCE_COLLECTIONS:
        member, membership_reference = _did(record.get("member")), _record_uri(record.get("membership"))
        if (
            parse_at_uri(membership_reference).authority != member
            or parse_at_uri(membership_reference).collection not in MEMBERSHIP_COLLECTIONS
        ):
            raise Unmappable(RecordReason.NO_MATCHING_STATEMENT)
        return GroupStatement(
            StatementKind.ACCEPTANCE, group_uri, member, role_of(record.get("role")), membership_reference
        )
    event = _record_uri(record.get("event"))
    if parse_at_uri(event).collection not in EVENTS:
        raise Unmappable(RecordReason.LISTS_NO_EVENT)
    return GroupStatement(StatementKind.EVENT, group_uri, event)


def put_link(record: dict[str, Value], group_uri: str | None) -> None:
    """Write or remove the group that an event's record names. Keys that others added to the object stay."""
    key = next((key for key in GROUP_LINK_KEYS if isinstance(record.get(key), dict)), GROUP_LINK_KEY)
    before = record.get(key)
    if group_uri is None:
        if isinstance(before, dict):
            record.pop(key)
        return
    link: dict[str, Value] = dict(before) if isinstance(before, dict) else {"$type": GROUP_LINK_KEY}
    record[key] = {**link, "group": group_uri}


def read_link(record: Mapping[str, object]) -> str:
    """Return the URI of the group that a record names; empty if it names none."""
    link = next((record[key] for key in GROUP_LINK_KEYS if isinstance(record.get(key), Mapping)), None)
    return uri_of_group(link.get("group")) if isinstance(link, Mapping) else ""


def _written(
    kind: str, ours: Mapping[str, Value], now: Instant, previous: Mapping[str, Value] | None
) -> dict[str, Value]:
    record: dict[str, Value] = {**(previous or {}), **ours}
    record.setdefault("$type", kind)
    record.setdefault("createdAt", format_datetime(now))
    return record


def _same_or_new(before: Value, to: StrongRef) -> Value:
    """Keep a reference to the same record unchanged. Otherwise each edit of that record would cause a write."""
    if isinstance(before, dict) and before.get("uri") == to.uri:
        return before
    return {"uri": to.uri, "cid": to.cid}


def _did(value: object) -> Did:
    try:
        return parse_did(value if isinstance(value, str) else "")
    except Malformed:
        raise Unmappable(RecordReason.NO_MEMBER) from None


def _record_uri(value: object) -> str:
    uri = value.get("uri") if isinstance(value, Mapping) else None
    try:
        parsed = parse_at_uri(uri if isinstance(uri, str) else "")
        if parsed.collection is None or parsed.rkey is None:
            raise Unmappable(RecordReason.REFERS_TO_NO_RECORD)
        return f"at://{parse_did(parsed.authority)}/{parsed.collection}/{parsed.rkey}"
    except Malformed:
        raise Unmappable(RecordReason.REFERS_TO_NO_DID) from None
