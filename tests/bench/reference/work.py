"""The work that both servers do, step by step. All responses are checked after the measurement."""

import random
from dataclasses import dataclass, field
from typing import Any

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from tests.bench.figure import check
from tests.bench.reference.minimal_http import Answer, get, in_turn, post
from tests.bench.reference.sides import Side
from tests.bench.timing import percentile

POST = "app.bsky.feed.post"
CONNECTIONS = 16
AT_ONCE = 100
PAGE = 50


@dataclass(frozen=True)
class Scale:
    """How many of everything."""

    accounts: int = 60
    serial: int = 300
    each: int = 60
    batches: int = 60
    reads_each: int = 200
    exports: int = 5
    live_each: int = 40
    paced: int = 150


@dataclass
class Person:
    did: str
    token: str


@dataclass
class Run:
    """The results of one server so far. ``figures``: by the name of the measurement."""

    side: Side
    people: list[Person] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    """Record keys of the large repository, which is that of the last person."""
    written: int = 0
    head: str = ""
    """CID of the newest commit of all."""


def record(author: str, number: int) -> dict[str, Any]:
    text = f"Note {number} of {author}: who brings the dice on Thursday, and is there room for two more?"
    return {"$type": POST, "text": text, "langs": ["en"], "createdAt": "2026-07-04T14:38:08.123Z"}


def create(run: Run, person: Person) -> tuple[bytes, str]:
    """A request that creates a different record each time, and that record's CID."""
    run.written += 1
    value = record(person.did, run.written)
    body = {"repo": person.did, "collection": POST, "record": value}
    return post("com.atproto.repo.createRecord", body, person.token), str(Cid.for_cbor(cbor.encode(value)))


def check_created(answers: list[Answer], cids: list[str]) -> list[str]:
    """Check that each request wrote what it should have. Returns the CIDs of the commits."""
    commits = []
    for answer, cid in zip(answers, cids, strict=True):
        told = answer.json()
        check(told["cid"] == cid, f"createRecord answered {told['cid']} for {cid}")
        commits.append(told["commit"]["cid"])
    return commits


async def accounts(run: Run, scale: Scale) -> None:
    """Sign-ups, four at a time."""

    def wish(number: int) -> bytes:
        name = f"person{number}"
        body = {"handle": f"{name}.test", "email": f"{name}@example.org", "password": f"password of {name}"}
        return post("com.atproto.server.createAccount", body)

    async def sign_up(numbers: range) -> float:
        queues = [[wish(number) for number in numbers[lane::4]] for lane in range(4)]
        taken, answers = await in_turn(run.side.port, *queues)
        for told in (answer.json() for lane in answers for answer in lane):
            check(told["did"].startswith("did:plc:"), "createAccount returned no DID")
            run.people.append(Person(told["did"], told["accessJwt"]))
        return taken

    await sign_up(range(20))
    run.figures["memory after 20 sign-ups"] = run.side.resident_mb - run.side.floor_mb
    run.figures["accounts"] = scale.accounts / await sign_up(range(20, 20 + scale.accounts))


async def serial(run: Run, scale: Scale) -> None:
    """One writer, one record after another."""
    requests, cids = zip(*(create(run, run.people[0]) for _ in range(scale.serial)), strict=True)
    taken, (answers,) = await in_turn(run.side.port, list(requests))
    check_created(answers, list(cids))
    run.figures["single write"] = percentile([answer.seconds for answer in answers], 0.5) * 1000
    run.figures["single writes"] = scale.serial / taken


async def many_writers(run: Run, scale: Scale) -> None:
    """Sixteen accounts that write at once."""
    made = [[create(run, person) for _ in range(scale.each)] for person in run.people[:CONNECTIONS]]
    taken, answers = await in_turn(run.side.port, *([request for request, _ in lane] for lane in made))
    for lane, asked in zip(answers, made, strict=True):
        check_created(lane, [cid for _, cid in asked])
    run.figures["writes, 16 accounts"] = CONNECTIONS * scale.each / taken
    run.figures["writes, 16 accounts, p99"] = percentile([one.seconds for lane in answers for one in lane], 0.99) * 1000


async def batches(run: Run, scale: Scale) -> None:
    """A hundred records per commit, one commit after another, which makes the large repository."""
    person = run.people[-1]
    requests = []
    for first in range(0, scale.batches * AT_ONCE, AT_ONCE):
        writes = []
        for number in range(first, first + AT_ONCE):
            run.keys.append(f"3l{number:011d}".translate(str.maketrans("0189", "abcd")))
            kind = "com.atproto.repo.applyWrites#create"
            value = record(person.did, number)
            writes.append({"$type": kind, "collection": POST, "rkey": run.keys[-1], "value": value})
        requests.append(post("com.atproto.repo.applyWrites", {"repo": person.did, "writes": writes}, person.token))
    taken, (answers,) = await in_turn(run.side.port, requests)
    for answer in answers:
        told = answer.json()
        check(len(told["results"]) == AT_ONCE, "applyWrites answered another number of results")
        run.head = told["commit"]["cid"]
    run.figures["applyWrites of 100"] = scale.batches * AT_ONCE / taken


async def record_reads(run: Run, scale: Scale) -> None:
    """getRecord of a random record, with sixteen readers."""
    person = run.people[-1]
    chosen = _chosen(run, scale.reads_each)
    queues = [
        [get("com.atproto.repo.getRecord", repo=person.did, collection=POST, rkey=run.keys[n]) for n in lane]
        for lane in chosen
    ]
    taken, answers = await in_turn(run.side.port, *queues)
    for lane, numbers in zip(answers, chosen, strict=True):
        for answer, number in zip(lane, numbers, strict=True):
            check(answer.json()["value"] == record(person.did, number), "getRecord answered another record")
    run.figures["getRecord"] = CONNECTIONS * scale.reads_each / taken


async def pages(run: Run, scale: Scale) -> None:
    """listRecords of 50 records from a random position, with sixteen readers."""
    person = run.people[-1]
    order = sorted(range(len(run.keys)), key=lambda number: run.keys[number])
    # Pages go from the newest key down, so choose a position with a whole page below it.
    chosen = [[random.randrange(PAGE, len(order)) for _ in range(scale.reads_each // 4)] for _ in range(CONNECTIONS)]
    name = "com.atproto.repo.listRecords"
    queues = [
        [get(name, repo=person.did, collection=POST, limit=PAGE, cursor=run.keys[order[place]]) for place in lane]
        for lane in chosen
    ]
    taken, answers = await in_turn(run.side.port, *queues)
    for lane, places in zip(answers, chosen, strict=True):
        for answer, place in zip(lane, places, strict=True):
            values = [one["value"] for one in answer.json()["records"]]
            expected = [record(person.did, order[place - below]) for below in range(1, PAGE + 1)]
            check(values == expected, "listRecords returned another page")
    run.figures["listRecords of 50"] = sum(map(len, chosen)) / taken


async def proofs(run: Run, scale: Scale) -> None:
    """sync.getRecord of a random record, with sixteen readers."""
    person = run.people[-1]
    chosen = _chosen(run, scale.reads_each // 2)
    queues = [
        [get("com.atproto.sync.getRecord", did=person.did, collection=POST, rkey=run.keys[n]) for n in lane]
        for lane in chosen
    ]
    taken, answers = await in_turn(run.side.port, *queues)
    for lane, numbers in zip(answers, chosen, strict=True):
        for answer, number in zip(lane, numbers, strict=True):
            check(answer.status == 200, f"sync.getRecord answered {answer.status}")
            proof = car.read(answer.body)
            cid = Cid.for_cbor(cbor.encode(record(person.did, number)))
            check(str(proof.root) == run.head and cid in proof.blocks, "the proof is for another record")
    run.figures["sync.getRecord"] = sum(map(len, chosen)) / taken


async def exports(run: Run, scale: Scale) -> None:
    """getRepo of the large repository, one after another."""
    before = run.side.resident_mb
    request = get("com.atproto.sync.getRepo", did=run.people[-1].did)
    taken, (answers,) = await in_turn(run.side.port, [request] * scale.exports)
    for answer in answers:
        check(answer.status == 200, f"getRepo answered {answer.status}")
        read = car.read(answer.body)
        check(read.root == Cid.parse(run.head) and len(read.blocks) > len(run.keys), "the export is not complete")
    run.figures["getRepo"] = sum(len(answer.body) for answer in answers) / taken / 1_000_000
    run.figures["memory that getRepo added"] = run.side.resident_mb - before


def _chosen(run: Run, each: int) -> list[list[int]]:
    return [[random.randrange(len(run.keys)) for _ in range(each)] for _ in range(CONNECTIONS)]
