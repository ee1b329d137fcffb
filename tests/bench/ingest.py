"""Records of the network applied to the platform's database: events and answers, in batches as the processor takes them from the queue."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import from_microseconds
from groundwork.clock import SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.queue.contract import Message
from groundwork.queue.open_ import open_embedded
from groundwork.telemetry.metrics import Metrics
from openmeet.ingestion.events import Here
from openmeet.ingestion.processor import BATCH, Processor, counting, run_once
from openmeet.records.message import Operation, RecordMessage, encode
from tests.bench.captured import EVENT
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.timing import progress

EVENTS = 600
ANSWERS_EACH = 4
FIRST_US = 1_783_000_000_000_000
RSVP = "community.lexicon.calendar.rsvp"
HERE = Here("https://meet.example")


def measure() -> Iterator[Figure]:
    messages = _messages()
    for batch in (BATCH, 1):
        some = messages if batch > 1 else messages[: len(messages) // 8]
        progress(f"applying {len(some):,} records, {batch} at a time")
        per_second, busy = run(_process(some, batch))
        name = f"events and answers (1 to {ANSWERS_EACH}), {batch} at a time"
        yield Figure(name, per_second, "records/s", 1_000 if batch == BATCH else None)
        yield Figure(f"processor time of each, {batch} at a time", busy * 1000, "ms", less_is_better=True)


def _messages() -> list[RecordMessage]:
    """Events of many people, each followed by answers of others."""
    found: list[RecordMessage] = []
    for number in range(EVENTS):
        event = _message(number, EVENT["$type"], len(found), {**EVENT, "name": f"Board games {number}"})
        found.append(event)
        subject = {"uri": event.uri, "cid": event.cid}
        for answer in range(ANSWERS_EACH):
            value = {
                "$type": RSVP,
                "subject": subject,
                "status": f"{RSVP}#going",
                "createdAt": "2026-07-02T09:00:00.000Z",
            }
            found.append(_message(1000 + (number * 7 + answer * 131) % 1500, RSVP, len(found), value))
    return found


def _message(author: int, collection: str, at: int, value: dict[str, Any]) -> RecordMessage:
    body = cbor.encode(value)
    letters = "".join("abcdefghij"[int(digit)] for digit in f"{author:024d}")
    when = from_microseconds(FIRST_US + at * 1_000_000, 5)
    return RecordMessage(
        did=parse_did(f"did:plc:{letters}"),
        collection=parse_nsid(collection),
        rkey=parse_record_key(when),
        rev=when,
        operation=Operation.CREATE,
        cid=str(Cid.for_cbor(body)),
        body=body,
        is_verified=True,
    )


async def _process(messages: list[RecordMessage], batch: int) -> tuple[float, float]:
    """Records per second and processor seconds per record: leased from the queue, applied, acknowledged, all durable."""
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        url = f"sqlite://{Path(folder) / 'openmeet.db'}"
        await migrate(url, "", "openmeet")
        db = await open_database(url, clock=SystemClock())
        queue = await open_embedded(f"sqlite://{Path(folder) / 'queue.db'}", "", SystemClock())
        await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])
        processor = Processor(db, queue, HERE, counting(Metrics("openmeet")))
        begun, busy = perf_counter(), process_time()
        while await run_once(processor, limit=batch):
            pass
        taken, busy = perf_counter() - begun, process_time() - busy
        depth = await queue.depth()
        async with db.reader() as reader:
            events = (await reader.fetch("select count(*) from events"))[0][0]
            answers = (await reader.fetch("select count(*) from attendances"))[0][0]
        await queue.close()
        await db.close()
    check((depth.waiting, depth.dead) == (0, 0), f"{depth.waiting} messages wait, {depth.dead} were given up")
    kinds = Counter(message.collection for message in messages)
    found = {EVENT["$type"]: events, RSVP: answers}
    check(found == kinds, f"the database holds {found} instead of {dict(kinds)}")
    return len(messages) / taken, busy / len(messages)
