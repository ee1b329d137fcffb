"""What a new version of an RSVP record means: the effective answer of a person to an event, from the records present.

Several records of one person for one event are possible; the effective one is a function of those that exist, so
arrival order does not matter, and deleting one uncovers the next. What was answered here and is not yet published is
weighed against it by time: the latest answer wins, and the loser is kept in ``conflicts``.

The time of a record is that of the commit that made it. A read knows only a later one, that of the repository's newest
commit: what it decided is decided anew when the stream brings the commit itself (``reconsider``). A version that was known
before keeps the time at which it was (``Seen.said_rev``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.data import cbor
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.attendance import actions as attendance
from openmeet.attendance import from_network
from openmeet.attendance import queries as attendance_queries
from openmeet.attendance import rules as attendance_rules
from openmeet.attendance.from_network import Word
from openmeet.attendance.model import Attendance, AttendanceId, AttendanceStatus, NetworkAnswer, Source
from openmeet.debts import publication_leases
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.events import by_record
from openmeet.events.model import EventId, Origin
from openmeet.identities import actions as identities
from openmeet.identities import queries as identity_queries
from openmeet.identities.model import IdentityKind
from openmeet.ingestion import conflicts
from openmeet.ingestion.events import moment_of_rev
from openmeet.ingestion.three_way import Decision, Facts, Policy, Side, most_recent
from openmeet.records import seen
from openmeet.records.collections import RSVPS
from openmeet.records.message import RecordMessage
from openmeet.records.rsvp import RsvpRead, read_rsvp
from openmeet.records.seen import Seen
from openmeet.users.model import UserId

_FIELD = "answer"
_DELETED = "deleted"

NOT_THEIRS_TO_SEE = "The event is private, and was not opened to the author of this answer."

# A person's word that no repository is told of: nothing of it is owed, and still it may be the last one.
_UNTOLD = {AttendanceStatus.PENDING, AttendanceStatus.WAITLISTED}


async def derive(
    tx: Transaction,
    *,
    did: Did,
    subject_uri: str,
    event_id: EventId,
    read: tuple[str, RsvpRead] | None = None,
) -> None:
    """Make the person's attendance agree with their records about this event; nothing to do where none is left.

    ``read`` is a record that was read just now, with its CID: most often the effective one, not to be read twice.
    """
    person, answers = await _answers(tx, did, subject_uri)
    if not answers:
        return
    user_id, effective = person.user_id, answers[0]
    if not person.is_shadow:
        # Somebody who never signed in here is owed no record, so nothing here can stand against theirs.
        mine = await attendance_queries.find(tx, event_id, user_id)
        owned = None if mine is None else await publication_leases.find(tx, Kind.RSVP, mine.id)
        if owned is not None and mine is not None and not await _gives_way(tx, owned, mine, effective):
            return
    answer = _answer_of(effective, read)
    await _apply(tx, did, subject_uri, Word(event_id, user_id, effective.uri, answer, effective.first_seen_at))


@dataclass(frozen=True, slots=True)
class Answering:
    """A person and an event about which something of theirs has changed. The rest is as in ``derive``."""

    did: Did
    subject_uri: str
    event_id: EventId
    read: tuple[str, RsvpRead] | None = None


async def derive_each(tx: Transaction, wanted: Sequence[Answering]) -> None:
    """``derive`` for several: together where a person is known by one DID alone, as strangers are; else each by itself.

    One about each event by each person.
    """
    people = await identity_queries.of_people_with(tx, {one.did for one in wanted})
    met = await identities.who_wrote_each(tx, {one.did for one in wanted} - people.keys())
    strangers = {did: user_id for did, (user_id, _) in met.items()} | {
        did: found[0].user_id
        for did, found in people.items()
        if len(found) == 1 and found[0].kind is IdentityKind.SHADOW
    }
    pairs = [(one.subject_uri, one.did) for one in wanted if one.did in strangers]
    effective = await seen.effective_answers(tx, pairs, sorted(RSVPS))
    words: dict[int, Word] = {}
    for place, one in enumerate(wanted):
        counts = effective.get((one.subject_uri, one.did))
        if one.did in strangers and counts is not None:
            answer = _answer_of(counts, one.read)
            words[place] = Word(one.event_id, strangers[one.did], counts.uri, answer, counts.first_seen_at)
    left = await from_network.apply_each(tx, list(words.values()))
    for place, one in enumerate(wanted):
        if one.did not in strangers:
            await derive(
                tx,
                did=one.did,
                subject_uri=one.subject_uri,
                event_id=one.event_id,
                read=one.read,
            )
        elif place in words and words[place].pair in left:
            await _apply(tx, one.did, one.subject_uri, words[place])


async def _apply(tx: Transaction, did: Did, subject_uri: str, word: Word) -> None:
    """What counts of a person's records becomes their answer, or waits until the event exists for them."""
    saved = await attendance.apply_from_network(
        tx,
        event_id=word.event_id,
        user_id=word.user_id,
        record_uri=word.record_uri,
        answer=word.answer,
        first_seen=word.first_seen,
    )
    if saved is None:
        dids = [identity.did for identity in await identity_queries.of_person_with(tx, did)] or [did]
        await seen.park_answers(
            tx, subject_uri=subject_uri, dids=dids, collections=sorted(RSVPS), reason=NOT_THEIRS_TO_SEE
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
            await _keep_yielded(tx, owned, uri, rev, after_rev)
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
    if owned is None and await _is_outlived(tx, uri=uri, rev=rev, after_rev=after_rev):
        return
    await attendance.withdraw_from_network(tx, record_uri=uri)


async def _is_outlived(tx: Transaction, *, uri: str, rev: str, after_rev: str) -> bool:
    """Whether something was answered here after the deletion of a record that nothing here is to be written to: that stands."""
    mine = await attendance_queries.by_record_uri(tx, uri)
    if mine is None or mine.source is not Source.HERE:
        return False
    if mine.answered_at > moment_of_rev(rev, tx.now):
        await attendance.forget_record(tx, mine.id)
        return True
    promised = await publication_leases.find(tx, Kind.RSVP, mine.id)
    if promised is not None and after_rev and mine.answered_at > moment_of_rev(after_rev, tx.now):
        # A read knows only a later time: when the record was deleted is told by the commit itself, if that comes.
        await _keep_yielded(tx, promised, uri, rev, after_rev)
    return False


async def reconsider_with(tx: Transaction, message: RecordMessage, known: Seen | None) -> None:
    """A read has brought this very version before, or its deletion: now it is known when that was made."""
    if known is None or known.cid != message.cid or known.rev <= message.rev or known.subject_uri is None:
        return
    event_id = await by_record.id_with(tx, known.subject_uri)
    if event_id is not None:
        await reconsider(
            tx, uri=message.uri, did=message.did, rev=message.rev, subject_uri=known.subject_uri, event_id=event_id
        )


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


def _answer_of(effective: Seen, read: tuple[str, RsvpRead] | None) -> NetworkAnswer:
    return read[1].answer if read is not None and read[0] == effective.cid else _read(effective).answer


def _read(answer: Seen) -> RsvpRead:
    return read_rsvp(answer.collection, cbor.decode(answer.body or b""), rkey=answer.rkey)


async def _answers(tx: Transaction, did: Did, subject_uri: str) -> tuple[_Person, list[Seen]]:
    """The person, and their answers under all their DIDs, the effective one first."""
    theirs = await identity_queries.of_person_with(tx, did)
    user_id = theirs[0].user_id if theirs else await identities.person_for_did(tx, did)
    person = _Person(user_id, all(identity.kind is IdentityKind.SHADOW for identity in theirs))
    dids = [identity.did for identity in theirs] or [did]
    return person, await seen.answers_of(tx, subject_uri=subject_uri, dids=dids, collections=sorted(RSVPS))


async def _gives_way(tx: Transaction, owned: Publication, mine: Attendance, effective: Seen) -> bool:
    """Whether what was answered here gives way to the record; the decision is kept where both changed."""
    is_own_record = effective.uri == owned.uri
    if is_own_record and effective.cid in {owned.base_cid, owned.chosen_cid}:
        # Our own bytes: the local status may say more than they do. Where it is the word of another record, which does
        # not count any more, ours is uncovered.
        is_anothers = mine.source is Source.NETWORK and mine.record_uri != effective.uri
        return is_anothers and not owned.is_pending
    if mine.status is AttendanceStatus.INVITED and mine.record_uri is None and not is_own_record:
        # An invitation is the host's word, however new: what the person says is nowhere but in the record.
        if owned.is_pending:
            await publication_leases.give_up_revision(tx, owned)
        return True
    read = _read(effective)
    is_untold = mine.source is Source.HERE and mine.status in _UNTOLD
    if not owned.is_pending and not (is_untold and read.answer is not attendance_rules.said_by(mine.status)):
        if is_own_record and effective.cid is not None and effective.body is not None:
            await publication_leases.adopt(
                tx, uri=effective.uri, cid=effective.cid, body=effective.body, rev=effective.rev
            )
        return True
    # When it was said, and not when it was last found: a reading gives what it finds unchanged no newer time.
    side = most_recent(_facts(tx, owned, effective.said_rev, effective.cid or ""))
    await conflicts.keep(
        tx,
        uri=effective.uri,
        theirs_rev=effective.said_rev,
        ours_revision=owned.revision,
        decisions=(Decision(_FIELD, "", mine.status.value, read.answer.value, Policy.LATEST_ANSWER, side),),
        after_rev=effective.after_rev,
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


async def _keep_yielded(tx: Transaction, owned: Publication, uri: str, rev: str, after_rev: str) -> None:
    """What was answered here gives way to the deletion of its record."""
    mine = await attendance_queries.by_id(tx, AttendanceId(owned.subject_id))
    if mine is None:
        return
    await conflicts.keep(
        tx,
        uri=uri,
        theirs_rev=rev,
        ours_revision=owned.revision,
        decisions=(Decision(_FIELD, "", mine.status.value, _DELETED, Policy.LATEST_ANSWER, Side.THEIRS),),
        after_rev=after_rev,
    )
