"""What the repository that speaks for a group made here says of its members: there, too, roles are given and people removed.

A word of the group counts as one of whoever speaks for it. Nobody becomes the owner by it, and no owner ceases to be one; who
was banned here stays out; and who never signed in here gets no role.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from at_protocol.syntax.did import parse_did
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.groups import actions, invitation_queries, notify, queries, record_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import INSIDE, Act, Group, Membership, Role
from openmeet.domain.groups.publication import speaker_of
from openmeet.domain.groups.record_queries import Said
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion import merge_local
from openmeet.network.ingestion.events import Version
from openmeet.network.ingestion.merge_local import record_of
from openmeet.network.ingestion.three_way import Facts, Policy, Side, Way, by_most_recent
from openmeet.network.records import seen
from openmeet.network.records.group_roles import role_of
from openmeet.network.records.group_statements import Saying, Statement
from openmeet.outbox import publication_echoes, publication_leases
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind


@dataclass(frozen=True, slots=True)
class Word:
    """What an acceptance says of its member."""

    role: Role


def _later(_field: str, _was: Any, ours: Any, theirs: Any, facts: Facts) -> tuple[Policy, Side, Any]:
    return by_most_recent(ours, theirs, facts)


def _here(_field: str, _was: Any, ours: Any, _theirs: Any, _facts: Facts) -> tuple[Policy, Side, Any]:
    return Policy.ORIGIN_WINS, Side.OURS, ours


_GIVEN_ANYWHERE: Final = Way(Word, (("role",),), frozenset(), _later)
_GIVEN_HERE: Final = Way(Word, (("role",),), frozenset(), _here)


async def take_over(tx: Transaction, version: Version, said: Statement, owned: Publication) -> None:
    """Another app has changed the group's acceptance of a member."""
    found = await _standing(tx, owned)
    if found is None:
        return  # it is being taken back
    group, standing = found
    if not await _is_about(tx, group, standing, said):
        await merge_local.keep_ours(tx, owned, version, why="It is no word of the group about the member any more.")
        return
    base = Word(said.role if owned.base_body is None else role_of(record_of(owned.base_body).get("role")))
    ours, theirs = Word(standing.role), Word(said.role)
    _, is_here = await identities.who_wrote(tx, parse_did(said.about))
    is_fixed = Role.OWNER in {standing.role, said.role} or not is_here
    way, held = (_GIVEN_HERE, {"role": standing.role}) if is_fixed else (_GIVEN_ANYWHERE, {})
    joined = merge_local.join(way, owned, version, tx.now, (base, ours, theirs), held)
    if joined.merged.value != ours:
        await _put(tx, group, standing, joined.merged.value.role, Act.ROLE_CHANGED, before=standing.role)
    await merge_local.keep(tx, way, owned, version, joined)


async def differing(reader: Reader, owned: Publication, body: bytes) -> tuple[str, ...]:
    """Whether the acceptance gives its member another role than they have here."""
    standing = next(iter((await members_by_ids(reader, [owned.subject_id])).values()), None)
    if standing is None or standing.role not in INSIDE:
        return ()
    return () if role_of(record_of(body).get("role")) is standing.role else ("role",)


async def lose(tx: Transaction, *, uri: str, rev: str, owned: Publication) -> None:
    """Another app has deleted the acceptance: the member is removed. An owner stays, and is only named no more."""
    reason = "The record was deleted in the repository."
    if not await publication_echoes.lose(tx, uri=uri, rev=rev, reason=reason):
        return
    found = await _standing(tx, owned)
    if found is None:
        return
    group, standing = found
    # Where the group's own record is gone with it, the group is off the network: nobody was removed.
    if standing.role is not Role.OWNER and group.network.record_uri is not None:
        await _put(tx, group, standing, Role.LEFT, Act.REMOVED, before=standing.role)


async def meet(tx: Transaction, group: Group, did: str) -> None:
    """Another app lets somebody in: their own statement, and an acceptance in the group's repository that we did not write."""
    locked = await queries.lock(tx, group.id)
    uri = None if locked is None or locked.deleted_at is not None else locked.network.record_uri
    if locked is None or uri is None:
        return
    behind = await identity_queries.of_person_with(tx, did)
    dids = [str(one.did) for one in behind] or [did]
    own = [uri, *await record_queries.former_records(tx, locked.id)]
    said = {one.uri: one for one in await record_queries.about(tx, Saying.MEMBERSHIP.value, own, dids)}
    accepted = [
        one
        for one in await record_queries.about(tx, Saying.ACCEPTANCE.value, [uri], dids)
        if one.refers_to in said and said[one.refers_to].about == one.about
    ]
    ours = await publication_leases.owned_among(tx, [one.uri for one in accepted])
    theirs = next((one for one in accepted if one.uri not in ours), None)
    if theirs is not None:
        await _let_in(tx, locked, theirs)


async def _let_in(tx: Transaction, group: Group, by: Said) -> None:
    user_id, is_here = await identities.who_wrote(tx, parse_did(by.about))
    mine = await queries.find_member(tx, group.id, user_id)
    before = mine.role if mine else None
    promised = None if mine is None else await publication_leases.find(tx, Kind.ACCEPTANCE, mine.id)
    if before in {Role.BANNED, Role.OWNER} or (promised is not None and promised.uri is not None):
        return
    role = by.role if is_here and by.role is not Role.OWNER else Role.MEMBER
    standing = mine or queries.new_membership(tx.now, group.id, user_id, role)
    standing = replace(standing, statement_uri=by.refers_to, joined_at=standing.joined_at or tx.now)
    act = Act.ROLE_CHANGED if before in INSIDE else Act.APPROVED
    if before is role:
        await queries.put_member(tx, replace(standing, revision=standing.revision + 1))
    else:
        standing = await _put(tx, group, standing, role, act, before=before)
    known = await seen.find(tx, by.uri)
    if known is None or known.cid is None or known.body is None:
        return
    # From now on it is the one to change: never a second one.
    record: dict[str, Any] = {"uri": by.uri, "cid": known.cid, "body": known.body, "rev": known.rev}
    await publication_echoes.attach(tx, kind=Kind.ACCEPTANCE, subject_id=standing.id, did=by.did, **record)
    await publication_echoes.adopt(tx, **record)


async def _standing(tx: Transaction, owned: Publication) -> tuple[Group, Membership] | None:
    """The group, locked, and the member; None where one is not, or not in."""
    standing = next(iter((await members_by_ids(tx, [owned.subject_id])).values()), None)
    group = None if standing is None else await queries.lock(tx, standing.group_id)
    if standing is None or group is None or group.deleted_at is not None or standing.role not in INSIDE:
        return None
    return group, standing


async def _is_about(tx: Transaction, group: Group, standing: Membership, said: Statement) -> bool:
    """Whether the group says it, from where it speaks now, and of this member."""
    if said.saying is not Saying.ACCEPTANCE or said.group_uri != group.network.record_uri:
        return False
    known = await identity_queries.find(tx, said.about)
    return known is not None and known.user_id == standing.user_id


async def _put(
    tx: Transaction, group: Group, standing: Membership, role: Role, act: Act, *, before: Role | None
) -> Membership:
    by = speaker_of(group)
    decided = replace(standing, decided_by=by, decided_at=tx.now)
    saved = await actions.put(tx, decided, role, act, by=by, before=before, note=invitation_queries.IN_ANOTHER_APP)
    if act is Act.ROLE_CHANGED and before is not None:
        await notify.of_role(tx, group, saved, before)
    elif act is Act.APPROVED:
        await notify.of_decision(tx, group, saved)
    return saved
