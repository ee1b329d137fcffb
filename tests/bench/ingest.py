"""Records of the network applied to the platform's database: events and answers, in batches as the processor takes them."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
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
from openmeet.ingestion.apply import Outcome, apply
from openmeet.ingestion.events import Here
from openmeet.records.message import Operation, RecordMessage
from tests.bench.captured import EVENT
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.timing import progress

EVENTS = 400
ANSWERS_EACH = 4
BATCH = 100
FIRST_US = 1_783_000_000_000_000
RSVP = "community.lexicon.calendar.rsvp"
HERE = Here("https://meet.example")


def measure() -> Iterator[Figure]:
    messages = _messages()
    for batch in (BATCH, 1):
        some = messages if batch > 1 else messages[: len(messages) // 4]
        progress(f"applying {len(some):,} records, {batch} per transaction")
        per_second = run(_apply(some, batch))
        name = f"apply events and answers (1 to {ANSWERS_EACH}), {batch} per commit"
        yield Figure(name, per_second, "/s", 1_000 if batch == BATCH else None)


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


async def _apply(messages: list[RecordMessage], batch: int) -> float:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        url = f"sqlite://{Path(folder) / 'openmeet.db'}"
        await migrate(url, "", "openmeet")
        db = await open_database(url, clock=SystemClock())
        outcomes: Counter[Outcome] = Counter()
        begun = perf_counter()
        for first in range(0, len(messages), batch):
            async with db.transaction() as tx:
                outcomes.update(await apply(tx, HERE, messages[first : first + batch]))
        taken = perf_counter() - begun
        async with db.reader() as reader:
            events = (await reader.fetch("select count(*) from events"))[0][0]
            answers = (await reader.fetch("select count(*) from attendances"))[0][0]
        await db.close()
    check(set(outcomes) == {Outcome.APPLIED}, f"not every record was applied: {dict(outcomes)}")
    kinds = Counter(message.collection for message in messages)
    found = {EVENT["$type"]: events, RSVP: answers}
    check(found == kinds, f"the database holds {found} instead of {dict(kinds)}")
    return len(messages) / taken
