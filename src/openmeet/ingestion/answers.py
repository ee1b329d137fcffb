"""What a new version of an RSVP record means: the effective answer of a person to an event, from the records present.

Several records of one person for one event are possible; the effective one is a function of those that exist, so
arrival order does not matter, and deleting one uncovers the next. What was answered here and is not yet published is
weighed against it by time: the latest answer wins, and the loser is kept in ``conflicts``.

The time of a record is that of the commit that made it. A read knows only a later one, that of the repository's newest
commit: what it decided is decided anew when the stream brings the commit itself (``reconsider``).
"""

from dataclasses import dataclass

from at_protocol.data import cbor
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.attendance import actions as attendance
from openmeet.attendance import queries as attendance_queries
from openmeet.attendance import rules as attendance_rules
from openmeet.attendance.model import Attendance, AttendanceId, AttendanceStatus, Source
from openmeet.debts import publication_leases
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.events.model import EventId, Origin
from openmeet.identities import actions as identities
from openmeet.identities import queries as identity_queries
from openmeet.identities.model import IdentityKind
from openmeet.ingestion import conflicts
from openmeet.ingestion.events import moment_of_rev
from openmeet.ingestion.merge import Decision, Facts, Policy, Side, most_recent
from openmeet.records import seen
from openmeet.records.collections import RSVPS
from openmeet.records.rsvp import RsvpRead, read_rsvp
from openmeet.records.seen import Seen
from openmeet.users.model import UserId

_FIELD = "answer"
_DELETED = "deleted"

# A person's word that no repository is told of: nothing of it is owed, and still it may be the last one.
_UNTOLD = {AttendanceStatus.PENDING, AttendanceStatus.WAITLISTED}


async def derive(
    tx: Transaction,
    *,
    did: Did,
    subject_uri: str,
    event_id: EventId,
    read: tuple[str, RsvpRead] | None = None,
    after_rev: str = "",
) -> None:
    """Make the person's attendance agree with their records about this event; nothing to do where none is left.

    ``read`` is a record that was read just now, with its CID: most often the effective one, not to be read twice.
    ``after_rev``: what was known of it before.
    """
    person, answers = await _answers(tx, did, subject_uri)
    if not answers:
        return
    user_id, effective = person.user_id, answers[0]
    if not person.is_shadow:
        # Somebody who never signed in here is owed no record, so nothing here can stand against theirs.
        mine = await attendance_queries.find(tx, event_id, user_id)
        owned = None if mine is None else await publication_leases.find(tx, Kind.RSVP, mine.id)
        if owned is not None and mine is not None and not await _gives_way(tx, owned, mine, effective, after_rev):
            return
    answer = read[1].answer if read is not None and read[0] == effective.cid else _read(effective).answer
    await attendance.apply_from_network(
        tx,
        event_id=event_id,
        user_id=user_id,
        record_uri=effective.uri,
        answer=answer,
        first_seen=effective.first_seen_at,
    )


async def withdraw(
    tx: Transaction,
    *,
    uri: str,
    did: Did,
    rev: str,
    subject_uri: str | None,
    event_id: EventId | None,
    after_rev: str = "",
) -> None:
    """One record was deleted: that very answer goes, and the next older one of the person counts if there is one."""
    owned = await publication_leases.find_by_uri(tx, uri)
    if owned is not None and owned.state is State.RETRACTING:
        known = await attendance_queries.by_record_uri(tx, uri)
        if known is not None:
            await attendance.forget_record(tx, known.id)
        return
    if owned is not None:
        # The latest word counts: an answer given here after the deletion stands, and is written again.
        stands = owned.is_pending and owned.edited_at > moment_of_rev(rev, tx.now)
        if owned.is_pending and not stands:
            await _keep_yielded(tx, owned, rev, after_rev)
        reason = "The answer was deleted in the repository."
        await publication_leases.lose(tx, uri=uri, rev=rev, reason=reason, is_owed=stands)
        if stands:
            known = await attendance_queries.by_record_uri(tx, uri)
            if known is not None:
                await attendance.forget_record(tx, known.id)
            return
    if subject_uri is not None and event_id is not None:
        _, left = await _answers(tx, did, subject_uri)
        if left:
            await derive(tx, did=did, subject_uri=subject_uri, event_id=event_id)
            return
    await attendance.withdraw_from_network(tx, record_uri=uri)


async def reconsider(tx: Transaction, *, uri: str, did: Did, rev: str, subject_uri: str, event_id: EventId) -> None:
    """The commit that made the version which is known already, or deleted the record: what gave way to a read of it as of a
    later rev, and was said here after it, stands again.
    """
    gave_way = await conflicts.yielded(tx, uri=uri, field=_FIELD, rev=rev)
    if gave_way is None:
        return
    person, _ = await _answers(tx, did, subject_uri)
    mine = await attendance_queries.find(tx, event_id, person.user_id)
    owned = None if mine is None else await publication_leases.find(tx, Kind.RSVP, mine.id)
    if mine is None or owned is None or owned.revision != gave_way.ours_revision:
        return  # something else has been said here since
    if most_recent(_facts(tx, owned, rev, "")) is not Side.OURS:
        return
    await conflicts.turn(tx, uri=uri, field=_FIELD, theirs_rev=gave_way.theirs_rev, result=Side.OURS)
    await attendance.stand_again(tx, mine.id, AttendanceStatus(gave_way.ours), answered_at=owned.edited_at)


@dataclass(frozen=True, slots=True)
class _Person:
    user_id: UserId
    is_shadow: bool


def _read(answer: Seen) -> RsvpRead:
    return read_rsvp(answer.collection, cbor.decode(answer.body or b""), rkey=answer.rkey)


async def _answers(tx: Transaction, did: Did, subject_uri: str) -> tuple[_Person, list[Seen]]:
    """The person, and their answers under all their DIDs, the effective one first."""
    theirs = await identity_queries.of_person_with(tx, did)
    user_id = theirs[0].user_id if theirs else await identities.person_for_did(tx, did)
    person = _Person(user_id, all(identity.kind is IdentityKind.SHADOW for identity in theirs))
    dids = [identity.did for identity in theirs] or [did]
    return person, await seen.answers_of(tx, subject_uri=subject_uri, dids=dids, collections=sorted(RSVPS))


async def _gives_way(tx: Transaction, owned: Publication, mine: Attendance, effective: Seen, after_rev: str) -> bool:
    """Whether what was answered here gives way to the record; the decision is kept where both changed."""
    is_own_record = effective.uri == owned.uri
    if is_own_record and effective.cid in {owned.base_cid, owned.chosen_cid}:
        # Our own bytes: the local status may say more than they do. Where it is the word of another record, which does
        # not count any more, ours is uncovered.
        is_anothers = mine.source is Source.NETWORK and mine.record_uri != effective.uri
        return is_anothers and not owned.is_pending
    read = _read(effective)
    is_untold = mine.source is Source.HERE and mine.status in _UNTOLD
    if not owned.is_pending and not (is_untold and read.answer is not attendance_rules.said_by(mine.status)):
        if is_own_record and effective.cid is not None and effective.body is not None:
            await publication_leases.adopt(
                tx, uri=effective.uri, cid=effective.cid, body=effective.body, rev=effective.rev
            )
        return True
    side = most_recent(_facts(tx, owned, effective.rev, effective.cid or ""))
    await conflicts.keep(
        tx,
        uri=effective.uri,
        theirs_rev=effective.rev,
        ours_revision=owned.revision,
        decisions=(Decision(_FIELD, "", mine.status.value, read.answer.value, Policy.LATEST_ANSWER, side),),
        after_rev=after_rev,
    )
    if (
        (side is Side.THEIRS or not owned.is_pending)
        and is_own_record
        and effective.cid is not None
        and effective.body is not None
    ):
        await publication_leases.adopt(tx, uri=effective.uri, cid=effective.cid, body=effective.body, rev=effective.rev)
    elif side is Side.THEIRS:
        await publication_leases.give_up_revision(tx, owned)
    return side is Side.THEIRS


def _facts(tx: Transaction, owned: Publication, theirs_rev: str, theirs_cid: str) -> Facts:
    return Facts(
        origin=Origin.HERE,
        ours_at=owned.edited_at,
        theirs_at=moment_of_rev(theirs_rev, tx.now),
        ours_cid=owned.chosen_cid or "",
        theirs_cid=theirs_cid,
    )


async def _keep_yielded(tx: Transaction, owned: Publication, rev: str, after_rev: str) -> None:
    """What was answered here gives way to the deletion of its record."""
    mine = await attendance_queries.by_id(tx, AttendanceId(owned.subject_id))
    if mine is None or owned.uri is None:
        return
    await conflicts.keep(
        tx,
        uri=owned.uri,
        theirs_rev=rev,
        ours_revision=owned.revision,
        decisions=(Decision(_FIELD, "", mine.status.value, _DELETED, Policy.LATEST_ANSWER, Side.THEIRS),),
        after_rev=after_rev,
    )
