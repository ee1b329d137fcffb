"""May it be public that somebody belongs to a group? Decided from the present, each side apart (invariant 11).

The member's statement stands in their own repository and needs their own yes, for this group. The group's acceptance stands beside
the group's record; it follows the statement, and goes with it.
"""

from collections.abc import Mapping

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.groups import queries, record_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import INSIDE, Group, Membership, Role
from openmeet.domain.groups.publication import Share, share_of
from openmeet.domain.identities.model import Identity
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import (
    ELSEWHERE,
    RECALLED,
    Decision,
    Hold,
    Leave,
    PublishPlain,
    Stay,
    Wait,
    repository_for,
)
from openmeet.network.publishing.group_eligibility import where_the_group_speaks
from openmeet.network.records import seen
from openmeet.network.records.collections import ACCEPTANCE, MEMBERSHIP
from openmeet.network.records.group import Reference
from openmeet.network.records.group_roles import VALUE_OF
from openmeet.network.records.group_statements import read_statement, write_acceptance, write_membership
from openmeet.network.records.rsvp import record_key_for
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import NO_REPOSITORY, NOT_AGREED


async def decide_membership(reader: Reader, owed: Publication, *, agreed: bool) -> Decision:
    """What a member says of themselves."""
    found = await _standing(reader, owed)
    if found is None:
        return Hold("You are not in this group.")
    standing, group = found
    if not standing.sync_enabled:
        return Hold("You keep it to yourself that you are in this group.")
    # Of a group that is kept elsewhere the statement is the question, too.
    asks = standing.role is Role.PENDING and group.is_read_only
    if standing.role not in INSIDE and not asks:
        return Hold("You are not in this group.")
    if not agreed:
        return Hold(NOT_AGREED)
    if owed.is_recalled:
        return Hold(RECALLED)
    if not group.is_read_only and share_of(group) is not Share.ALL:
        return Hold("The network does not learn who is in this group.")
    uri = group.network.record_uri
    if uri is None:
        why = "The group has no record."
        return Hold(why) if owed.may_be_out_there else Wait(why)
    # What they wrote in another app is the one to change, in whichever account of theirs: never a second one.
    said = None if standing.statement_uri is None else parse_at_uri(standing.statement_uri)
    did = owed.did if owed.may_be_out_there else None if said is None else said.authority
    identity = await repository_for(reader, UserId(owed.user_id), did)
    if identity is None and owed.may_be_out_there:
        return Stay(ELSEWHERE)
    identity = identity or await repository_for(reader, UserId(owed.user_id), None)
    if identity is None:
        return Hold(NO_REPOSITORY)

    def write(_instance: str, now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        return write_membership(uri, now, previous)

    if said is not None and said.rkey is not None and (said.authority, said.collection) == (identity.did, MEMBERSHIP):
        return PublishPlain(identity, MEMBERSHIP, said.rkey, write)
    return PublishPlain(identity, MEMBERSHIP, RecordKey(record_key_for(parse_at_uri(uri))), write)


async def decide_acceptance(reader: Reader, owed: Publication) -> Decision:
    """What the group says of a member: never before they have said it, and never after they took it back."""
    found = await _standing(reader, owed)
    if found is None:
        return Hold("They are not in this group.")
    standing, group = found
    if group.is_read_only:
        return Leave("The group is kept elsewhere; nothing is written there.")
    value = VALUE_OF[standing.role]
    if value is None:
        return Hold("They are not in this group.")
    if share_of(group) is not Share.ALL:
        return Hold("The network does not learn who is in this group.")
    said = await _said(reader, group, standing)
    if said is None:
        return Hold("They have not said so themselves.")
    where = await where_the_group_speaks(reader, group, owed)
    if not isinstance(where, Identity):
        return where
    uri, member = group.network.record_uri or "", parse_did(parse_at_uri(said.uri).authority)

    def write(_instance: str, now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        return write_acceptance(uri, member, said, value, now, previous)

    return PublishPlain(where, ACCEPTANCE, RecordKey(record_key_for(parse_at_uri(said.uri))), write)


async def _standing(reader: Reader, owed: Publication) -> tuple[Membership, Group] | None:
    """The standing, and its group; None where either is gone, or a moderator hides the group."""
    standing = next(iter((await members_by_ids(reader, [owed.subject_id])).values()), None)
    group = None if standing is None else await queries.by_id(reader, standing.group_id)
    if standing is None or group is None or group.deleted_at is not None or group.is_hidden:
        return None
    return standing, group


async def _said(reader: Reader, group: Group, standing: Membership) -> Reference | None:
    """The member's own statement about this group, or about one that it continues, as it stands in their repository."""
    known = None if standing.statement_uri is None else await seen.find(reader, standing.statement_uri)
    if known is None or known.cid is None or known.body is None or known.standing is not seen.Standing.MAPPED:
        return None
    statement = read_statement(known.collection, parse_did(known.did), cbor.decode(known.body))
    ours = {group.network.record_uri, *await record_queries.former_records(reader, group.id)}
    return Reference(known.uri, known.cid) if statement.group_uri in ours else None
