"""Which word of a person about an event is their latest: what they answered here, or what a record of theirs says that counts.

The latest answer wins, and where both had changed the loser is kept in ``conflicts``. What was answered here is weighed when it is not yet
published, and also when it is: a record of another app may be heard late, and be the newest of theirs only because ours was
changed since and not written anew. Then what was said here stands, and is owed to that record (decision 0084).

The time of a record is that of the commit that made it. A read knows only that it was made between two commits: where the record itself
says when it was written, and that lies between the two, this is believed, else the later one is taken. What a read decided is decided anew
when the stream brings the commit itself (``reconsidering``). A version that was known before keeps the time at which it was
(``Seen.said_rev``).
"""

from typing import Final

from at_protocol.data import cbor
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rules as attendance_rules
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, Source
from openmeet.domain.events.model import Origin
from openmeet.network.ingestion import merge_decisions
from openmeet.network.ingestion.events import moment_of_rev
from openmeet.network.ingestion.three_way import Decision, Facts, Policy, Side, most_recent
from openmeet.network.records import missed
from openmeet.network.records.rsvp import RsvpRead, read_rsvp, written_at
from openmeet.network.records.seen import Seen
from openmeet.outbox import publication_echoes, publications
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind

FIELD: Final = "answer"
DELETED: Final = "deleted"

# A person's word that no repository is told of: nothing of it is owed, and still it may be the last one.
UNTOLD: Final = {AttendanceStatus.PENDING, AttendanceStatus.WAITLISTED}


def read_of(answer: Seen) -> RsvpRead:
    """What a record that counts says."""
    return read_rsvp(answer.collection, cbor.decode(answer.body or b""), rkey=answer.rkey)


async def gives_way(tx: Transaction, owned: Publication, mine: Attendance, effective: Seen) -> bool:
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
            await publication_echoes.give_up_revision(tx, owned)
        return True
    read = read_of(effective)
    differs = mine.source is Source.HERE and read.answer is not attendance_rules.said_by(mine.status)
    if owned.is_pending or (differs and mine.status in UNTOLD):
        return await _gives_way_unsent(tx, owned, mine, effective, read)
    if is_own_record:
        await _adopt(tx, effective)
        return True
    return not (differs and await _outlasts(tx, owned, mine, effective, read))


async def _gives_way_unsent(
    tx: Transaction, owned: Publication, mine: Attendance, effective: Seen, read: RsvpRead
) -> bool:
    """The same of what no repository has been told of."""
    said_at = await _said_at(tx, effective)
    side = most_recent(facts_of(owned, owned.edited_at, said_at, effective.cid or ""))
    await _keep(tx, owned, mine, effective, read, side)
    if effective.uri == owned.uri and (side is Side.THEIRS or not owned.is_pending):
        await _adopt(tx, effective)
    elif side is Side.THEIRS:
        await publication_echoes.give_up_revision(tx, owned)
    return side is Side.THEIRS


async def _outlasts(tx: Transaction, owned: Publication, mine: Attendance, effective: Seen, read: RsvpRead) -> bool:
    """Whether what was answered here, and is told by now, was said after another app's record that is heard only now.

    By when the person said it: what a host did with their answer since is no word of theirs. What stands is told in that record
    from now on, else other apps, and whoever reads everything anew, would go by what is out of date.
    """
    ours_at = mine.answered_at
    side = most_recent(facts_of(owned, ours_at, await _said_at(tx, effective), effective.cid or ""))
    if side is Side.OURS or _earliest(tx, effective) < ours_at:
        # What only a read has told of may turn out to have been said before.
        await _keep(tx, owned, mine, effective, read, side)
    if side is Side.OURS:
        await publications.look_again(tx, kind=Kind.RSVP, subject_ids=[mine.id])
    return side is Side.OURS


async def _adopt(tx: Transaction, effective: Seen) -> None:
    """Our own record says what somebody else has written into it."""
    if effective.cid is not None and effective.body is not None:
        await publication_echoes.adopt(tx, uri=effective.uri, cid=effective.cid, body=effective.body, rev=effective.rev)


def facts_of(owned: Publication, ours_at: Instant, theirs_at: Instant, theirs_cid: str = "") -> Facts:
    """What is weighed."""
    return Facts(
        origin=Origin.HERE,
        ours_at=ours_at,
        theirs_at=theirs_at,
        ours_cid=owned.chosen_cid or "",
        theirs_cid=theirs_cid,
    )


async def _said_at(tx: Transaction, answer: Seen) -> Instant:
    """When it was said, and not when it was last found: a reading gives what it finds unchanged no newer time."""
    written = written_at(answer.precedence)
    rev = await made_by(tx, parse_did(answer.did), answer.said_rev, answer.after_rev, written=written)
    latest = moment_of_rev(rev, tx.now)
    return written if _earliest(tx, answer) < written <= latest else latest


def _earliest(tx: Transaction, answer: Seen) -> Instant:
    """After which moment this version was made: its own where its commit was heard of."""
    return moment_of_rev(answer.after_rev, tx.now) if answer.after_rev else Instant(0)


async def made_by(tx: Transaction, did: Did, rev: str, after_rev: str, *, written: int = 0) -> str:
    """The commit that made a version at the latest, or deleted it: ``rev``, or where a read found it (``seen.Seen.after_rev``) the
    first one of which is known that something before it was missed. What says that it was ``written`` later was not made by that.
    """
    if after_rev == rev:
        return rev
    bounds = [one for one in await missed.before(tx, did) if after_rev < one < rev]
    return next((one for one in bounds if written <= moment_of_rev(one, tx.now)), rev)


async def _keep(
    tx: Transaction, owned: Publication, mine: Attendance, effective: Seen, read: RsvpRead, side: Side
) -> None:
    await merge_decisions.keep(
        tx,
        uri=effective.uri,
        theirs_rev=effective.said_rev,
        ours_revision=owned.revision,
        decisions=(Decision(FIELD, "", mine.status.value, read.answer.value, Policy.LATEST_ANSWER, side),),
        after_rev=effective.after_rev,
    )


async def keep_deletion(tx: Transaction, owned: Publication, uri: str, rev: str, after_rev: str, side: Side) -> None:
    """What was answered here gives way to the deletion of its record, or does not."""
    mine = await attendance_queries.by_id(tx, AttendanceId(owned.subject_id))
    if mine is None:
        return
    await merge_decisions.keep(
        tx,
        uri=uri,
        theirs_rev=rev,
        ours_revision=owned.revision,
        decisions=(Decision(FIELD, "", mine.status.value, DELETED, Policy.LATEST_ANSWER, side),),
        after_rev=after_rev,
    )
