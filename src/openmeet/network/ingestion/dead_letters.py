"""Dead letters, for the operator: what each message is about, why it failed, and what to do with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.failures import Malformed
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Explanation
from groundwork.queue.contract import DeadLetter, Queue
from openmeet.network.records import erased_records
from openmeet.network.records.message import RecordMessage, decode

PAGE = 100


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A readable dead letter. ``about`` is the record's URI or the DID; empty if the message cannot be decoded."""

    letter_id: str
    routing_key: str
    partition: str
    about: str
    reason: Explanation | None
    attempts: int
    buried_at: Instant


async def page(queue: Queue, *, limit: int = 100, after: str = "") -> list[DeadLetterView]:
    """Return the first dead letters after the given one, in the order of failure."""
    return [view_of(letter) for letter in await queue.dead_letters(limit, after)]


def view_of(letter: DeadLetter) -> DeadLetterView:
    """Return a dead letter in readable form."""
    return DeadLetterView(
        letter.letter_id,
        letter.message.routing_key,
        letter.message.partition,
        _about(letter.message.body),
        letter.reason,
        letter.attempts,
        letter.buried_at,
    )


async def retry(queue: Queue, letter_ids: Sequence[str]) -> int:
    """Put dead letters back into the queue; return their number."""
    return await queue.retry_dead(letter_ids)


async def discard(queue: Queue, letter_ids: Sequence[str]) -> int:
    """Delete dead letters; return their number."""
    return await queue.discard_dead(letter_ids)


async def erase(db: Database, keys: Sequence[bytes], queue: Queue, did: str) -> int:
    """Delete the messages of an erased DID: its dead letters, and its queued records if the queue can find them by DID.

    Returns their number. Records newer than the erasure stay, because the DID may be in use again.
    """
    async with db.reader() as reader:
        erased = (await erased_records.erased_up_to(reader, keys, {did})).get(did)
    return await queue.forget(did, lambda body: erased is not None and _is_erased(body, erased))


async def forget_erased(db: Database, keys: Sequence[bytes], queue: Queue) -> int:
    """Delete dead letters about content that was erased after they were sent (some fail only after the erasure).
    Returns their number.

    Messages that a DID sent after it came back stay.
    """
    deleted_count, after = 0, ""
    while letters := await queue.dead_letters(PAGE, after):
        async with db.reader() as reader:
            erased = await erased_records.erased_up_to(reader, keys, {one.message.partition for one in letters})
        letter_ids = [
            one.letter_id
            for one in letters
            if (rev := erased.get(one.message.partition)) is not None and _is_erased(one.message.body, rev)
        ]
        deleted_count += await queue.discard_dead(letter_ids)
        after = letters[-1].letter_id
    return deleted_count


def _is_erased(body: bytes, rev: str) -> bool:
    """Whether a message of a DID that was erased up to ``rev`` is about what was erased.

    A hint without a rev is not: it contains no record, and the DID may be in use again. A message that cannot be
    decoded is: it may contain an erased record, and nobody can apply it.
    """
    try:
        message = decode(body)
    except Malformed:
        return True
    return message.rev is not None and message.rev <= rev


async def delete_older_than(queue: Queue, before: Instant | None) -> int:
    """Delete dead letters that failed before the given time (None: keep them all); return their number."""
    deleted_count, after = 0, ""
    while before is not None and (letters := await queue.dead_letters(PAGE, after)):
        old = [one.letter_id for one in letters if one.buried_at < before]
        deleted_count += await queue.discard_dead(old)
        # They are listed in the order of failure, so the rest is newer.
        if len(old) < len(letters):
            break
        after = letters[-1].letter_id
    return deleted_count


def _about(body: bytes) -> str:
    try:
        message = decode(body)
    except Malformed:
        return ""
    return message.uri if isinstance(message, RecordMessage) else message.did
