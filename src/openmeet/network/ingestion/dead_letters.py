"""Messages that were given up, for the operator: what each is about, why, and what to do with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.failures import Malformed
from groundwork.clock import Instant
from groundwork.queue.contract import DeadLetter, Queue
from openmeet.network.records.message import RecordMessage, decode

PAGE = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A dead letter in words. ``about`` is the record's uri or the DID, ``""`` where nobody can read it."""

    letter_id: str
    routing_key: str
    partition: str
    about: str
    reason: str
    attempts: int
    buried_at: Instant


async def show(queue: Queue, *, limit: int = 100, after: str = "") -> list[Shown]:
    """Dead letters in the order of burial."""
    return [shown(letter) for letter in await queue.dead_letters(limit, after)]


def shown(letter: DeadLetter) -> Shown:
    """One of them in words."""
    return Shown(
        letter.letter_id,
        letter.message.routing_key,
        letter.message.partition,
        _about(letter.message.body),
        letter.reason,
        letter.attempts,
        letter.buried_at,
    )


async def retry(queue: Queue, letter_ids: Sequence[str]) -> int:
    """Deliver again; how many there were."""
    return await queue.retry_dead(letter_ids)


async def discard(queue: Queue, letter_ids: Sequence[str]) -> int:
    """Forget; how many there were."""
    return await queue.discard_dead(letter_ids)


async def erase(queue: Queue, did: str) -> int:
    """Forget the dead letters about a DID that was deleted; how many."""
    found, after = 0, ""
    while letters := await queue.dead_letters(PAGE, after):
        found += await queue.discard_dead([one.letter_id for one in letters if one.message.partition == did])
        after = letters[-1].letter_id
    return found


def _about(body: bytes) -> str:
    try:
        message = decode(body)
    except Malformed:
        return ""
    return message.uri if isinstance(message, RecordMessage) else message.did
