"""Attacks a running installation in every way at once while a canary acts like a normal user (invariants 1 and 2).

The attackers hold connections open, send heads and bodies byte by byte, do not read large responses, flood pages and
methods, send calendars, texts and forms that are expensive to parse, and announce records of authors whose DIDs cannot
be resolved. The canary must be served each time, possibly after a retry on 503. Every write that was confirmed to the
canary must still be stored afterwards, and no server may use more memory than a fixed limit. All limits have their
default values, except the number of connections per server and the time for reading a file. Attackers have addresses of
their own.
"""

import asyncio
import contextlib
import itertools
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage
from at_protocol.syntax.did import Did
from tests.attack.attackers import ATTACKS, BRACKETS, REQUESTS, Pressure, Report, Target, attacked, prepare
from tests.simulation.oracle import EVENT, RSVP
from tests.simulation.processes import Program, free_port
from tests.simulation.relay import Relay
from tests.system import end_state
from tests.system.guests import TOKENS, WORDS, Guest, account_on, sign_in, write_event
from tests.system.stream import whole_stream
from tests.system.tour.polling import eventually
from tests.system.tour.stage import WORKERS, pds_program
from tests.timeouts import TIMEOUT_SECONDS

# How often the canary tries before it counts as turned away. Overall it must be served more often than not.
TRIES = 5
WORKER_MEMORY = 512
# Less than the default, so that a bomb is stopped while the canary is being watched.
WORKER_SECONDS = 3
# In megabytes. Idle servers use about 150; a single calendar bomb took 1,600 without a limit.
MAX_MEMORY = 700
MAX_WORKER_MEMORY = WORKER_MEMORY + 100

# The addresses of attackers. The canary and the servers use 127.0.0.1.
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 14)]

BOARD_GAMES = {"title": "Board games", "startsLocal": "2037-07-04T18:00", "timeZone": "Europe/Berlin"}


@dataclass(frozen=True)
class Scale:
    """``rounds``: the minimum for the canary. ``connections``: the limit of each server. ``unresolvable``: the number
    of unresolvable authors in the relay.
    """

    rounds: int
    connections: int
    pressure: Pressure
    unresolvable: int
    has_limits: bool = True


SHORT = Scale(rounds=2, connections=40, pressure=Pressure(holders=12, floods=1, expensive=1), unresolvable=100)
LONG = Scale(rounds=15, connections=60, pressure=Pressure(holders=75, floods=6, expensive=2), unresolvable=5_000)


@dataclass
class Installation:
    """The installation under attack. ``servers``: its processes by name."""

    folder: Path
    pds_url: str
    openmeet_url: str
    relay_url: str
    servers: dict[str, Program]
    canary: Guest
    attacker: Guest


async def attack(folder: Path, scale: Scale) -> Report:
    """Run the attack. Raises AssertionError with the requirement that failed."""
    report = Report()
    async with installation(folder, scale) as running:
        slug = await _event_with(running.attacker, "The canary’s event.")
        target = await aim(running)
        async with attacked(target, scale.pressure, report), _memory_watched(running, report):
            acknowledged = await _live(running, scale, report, slug)
        await _check(running, scale, report, acknowledged)
    return report


async def aim(running: Installation) -> Target:
    """Prepare what attackers need: texts and records that are expensive to show."""
    texts = [await _event_with(running.attacker, text) for text in BRACKETS]
    account, authorization = running.attacker.account, running.attacker.http.headers["authorization"]
    target = Target(running.openmeet_url, running.pds_url, account, authorization, texts, itertools.cycle(ADDRESSES))
    await prepare(target)
    return target


async def soak(folder: Path, seed: int) -> Report:
    """Run at the long scale, with limits for even seeds and without for odd ones; without limits every request is
    processed.
    """
    return await attack(folder, replace(LONG, has_limits=seed % 2 == 0))


# ---- The installation.


@asynccontextmanager
async def installation(folder: Path, scale: Scale) -> AsyncIterator[Installation]:
    """A PLC directory, a PDS, the platform with its workers, and a relay that announces records of unknown authors."""
    async with AsyncExitStack() as stack:

        async def start(*programs: Program) -> None:
            for one in programs:
                stack.push_async_callback(one.stop)
            await asyncio.gather(*(one.start() for one in programs))

        plc_port, pds_port, web_port = (free_port() for _ in range(3))
        plc_url, pds_url = f"http://127.0.0.1:{plc_port}", f"http://localhost:{pds_port}"
        openmeet_url = f"http://127.0.0.1:{web_port}"
        limits = {f"PLC_{span}_LIMIT": "0" for span in ("HOURLY", "DAILY", "WEEKLY")}
        plc = {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(folder / "plc"), **limits}
        directory = Program("plc", plc, folder / "plc.log", f"{plc_url}/_health")
        pds = pds_program(folder, "pds", pds_port, pds_url, plc_url)
        pds.environment["PDS_CLIENT_CONNECTIONS"] = str(scale.connections)
        pds.environment["PDS_RATE_LIMITS_ENABLED"] = str(scale.has_limits).lower()
        relay = await stack.enter_async_context(Relay([], []))
        relay_url = relay.url.replace("http", "ws", 1)
        environment = {
            "OPENMEET_PUBLIC_URL": openmeet_url,
            "OPENMEET_PORT": str(web_port),
            "OPENMEET_DATA_DIRECTORY": str(folder / "openmeet"),
            "OPENMEET_DEV_MODE": "true",
            "OPENMEET_DEV_LIMITS": str(scale.has_limits).lower(),
            "OPENMEET_DEV_MAILBOX": "true",
            "OPENMEET_ALLOW_PRIVATE_ADDRESSES": "true",
            "OPENMEET_PDS_URL": pds_url,
            "OPENMEET_PDS_HANDLE_DOMAIN": ".test",
            "OPENMEET_PLC_URL": plc_url,
            "OPENMEET_FIREHOSE_URLS": pds_url.replace("http", "ws", 1),
            "OPENMEET_RELAY_URLS": relay_url,
            "OPENMEET_CLIENT_CONNECTIONS": str(scale.connections),
            "OPENMEET_WORKER_CPU_SECONDS": f"{WORKER_SECONDS}s",
            "OPENMEET_WORKER_MEMORY": f"{WORKER_MEMORY}MiB",
        }
        web = Program("web", environment, folder / "web.log", f"{openmeet_url}/health/ready")
        await start(directory, pds, web)
        canary, attacker = [await account_on(pds_url, f"{name}.test") for name in ("canary", "attacker")]
        await write_event(attacker, "Somebody’s event")
        relay.frames = await _frames_of_nobody(pds_url, scale.unresolvable)
        relay.sequences = range(1, len(relay.frames) + 1)
        guests = []
        for account, name in ((canary, "canary"), (attacker, "attacker")):
            guests.append(await sign_in(openmeet_url, account, f"{name}.test"))
            stack.push_async_callback(guests[-1].http.aclose)
        workers = {role: Program(role, environment, folder / f"{role}.log") for role in WORKERS}
        await start(*workers.values())
        servers = {"plc": directory, "pds": pds, "web": web, **workers}
        yield Installation(folder, pds_url, openmeet_url, relay_url, servers, *guests)


async def _frames_of_nobody(pds_url: str, number: int) -> list[bytes]:
    """Commits of calendar records for that many DIDs whose hosts do not respond, derived from a real commit."""
    messages = [events.read(frame) for _, frame in await whole_stream(pds_url)]
    real = next(
        one
        for one in messages
        if isinstance(one, CommitMessage) and any(part.path.startswith(EVENT) for part in one.operations)
    )
    dids = [Did(f"did:web:localhost%3A{port}") for port in range(1, number + 1)]
    return [events.encode(replace(real, repo=did, seq=place)) for place, did in enumerate(dids, 1)]


async def _event_with(guest: Guest, description: str) -> str:
    made = await guest.http.post("/api/events", json={**BOARD_GAMES, "description": description})
    assert made.status_code == 201, made.text
    return str(made.json()["slug"])


# ---- The canary.


@dataclass
class PublishedVersion:
    """The writes that were confirmed to the canary: records by URI with their CID, and its last RSVP."""

    slug: str
    records: dict[str, str] = field(default_factory=dict)
    answer: str = ""


async def _live(running: Installation, scale: Scale, report: Report, slug: str) -> PublishedVersion:
    """Read, RSVP and write in turn, each on a new connection, until every attack has been made too."""
    acknowledged = PublishedVersion(slug)
    words = itertools.cycle(WORDS)
    deadline = asyncio.get_running_loop().time() + TIMEOUT_SECONDS
    number = 0
    while number < scale.rounds or (missing := ATTACKS - report.attacks.keys()):
        assert number < scale.rounds or asyncio.get_running_loop().time() < deadline, f"never made: {missing}"
        await _round(running, report, acknowledged, number, next(words))
        number += 1
    return acknowledged


async def _round(running: Installation, report: Report, acknowledged: PublishedVersion, number: int, word: str) -> None:
    token = {"authorization": running.canary.http.headers["authorization"]}
    for path in ("/", f"/events/{acknowledged.slug}", "/health/ready"):
        seen = await _served(report, "GET", running.openmeet_url + path)
        assert seen.status_code == 200, f"{path}: {seen.status_code} {seen.text[-500:]}"
        report.served += 1
    url = f"{running.openmeet_url}/api/events/{acknowledged.slug}/answer"
    answered = await _served(report, "PUT", url, headers=token, json={"reply": word})
    assert answered.status_code == 200, f"answer: {answered.status_code} {answered.text}"
    acknowledged.answer = word
    report.served += 1
    account = running.canary.account
    record = {
        "$type": EVENT,
        "name": f"Canary {number}",
        "createdAt": "2026-11-20T12:00:00Z",
        "startsAt": "2037-06-01T12:00:00Z",
    }
    written = await _served(
        report,
        "POST",
        f"{running.pds_url}/xrpc/com.atproto.repo.createRecord",
        headers={"authorization": f"Bearer {account.token}"},
        json={"repo": account.did, "collection": EVENT, "record": record},
    )
    assert written.status_code == 200, f"record: {written.status_code} {written.text}"
    acknowledged.records[written.json()["uri"]] = written.json()["cid"]
    report.served += 1


async def _served(report: Report, method: str, url: str, **rest: object) -> httpx.Response:
    """Return the response, and retry after a 503: one such response from a busy machine does not fail the canary."""
    for _ in range(TRIES):
        answer = await _alone(method, url, **rest)
        if answer.status_code != 503:
            break
        report.turned_away.append(f"{method} {urlsplit(url).path}: {answer.text[:300]}")
        await asyncio.sleep(1)
    return answer


async def _alone(method: str, url: str, **rest: object) -> httpx.Response:
    """One request on a new connection, without a time limit."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        return await http.request(method, url, **rest)  # type: ignore[arg-type]


# ---- What must hold.


@asynccontextmanager
async def _memory_watched(running: Installation, report: Report) -> AsyncIterator[None]:
    """Record the peak memory of each server and its child processes in the report."""

    async def watch() -> None:
        while True:
            for name, program in running.servers.items():
                assert program.process is not None
                pid = program.process.pid
                report.memory[name] = max(report.memory[name], peak_megabytes(pid))
                for child in children_of(pid):
                    below = f"below {name}"
                    report.memory[below] = max(report.memory[below], peak_megabytes(child))
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def peak_megabytes(pid: int) -> int:
    """The peak memory of a process (proc(5), VmHWM). 0 if the process has ended or there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def children_of(pid: int) -> list[int]:
    """All descendants of a process; empty if there is no /proc."""
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            below.setdefault(parent, []).append(int(folder.name))
    found = list(below.get(pid, []))
    for one in found:
        found += below.get(one, [])
    return found


async def _check(running: Installation, scale: Scale, report: Report, acknowledged: PublishedVersion) -> None:
    """Check that every write confirmed to the canary is stored, and that every attack met its defence."""
    for name in ("web", "pds"):
        assert "connections.used_up" in running.servers[name].said(), f"the connections of {name} were never exhausted"
    assert len(report.turned_away) < report.served, f"turned away: {report.turned_away}"
    answered = {name for name, _ in report.statuses}
    assert answered == REQUESTS, f"never answered: {REQUESTS - answered}"
    unseen = {*running.servers, "below web"} - {name for name, megabytes in report.memory.items() if megabytes}
    assert not unseen or sys.platform != "linux", f"no memory measured for {unseen}"
    broken = {key: number for key, number in report.statuses.items() if key[1] >= 500 and key[1] != 503}
    assert broken == {}, f"answers to attackers: {broken}"
    too_large = {
        name: megabytes
        for name, megabytes in report.memory.items()
        if megabytes > (MAX_WORKER_MEMORY if name.startswith("below") else MAX_MEMORY)
    }
    assert too_large == {}, f"megabytes: {too_large}"
    folder = running.folder / "openmeet"
    for uri, cid in acknowledged.records.items():
        repo, collection, rkey = uri.removeprefix("at://").split("/")
        query = f"repo={repo}&collection={collection}&rkey={rkey}"
        kept = await _alone("GET", f"{running.pds_url}/xrpc/com.atproto.repo.getRecord?{query}")
        assert kept.status_code == 200, f"{uri} was acknowledged: {kept.text}"
        assert kept.json()["cid"] == cid
    await end_state.wait_until_done(folder)

    for uri in acknowledged.records:
        await eventually(partial(_is_listed, running, uri), TIMEOUT_SECONDS)

    async def all_were_met() -> bool:
        cursor, unresolved = _progress(folder, running.relay_url)
        # Another program on this machine may listen on one of these ports.
        return cursor == scale.unresolvable and unresolved > scale.unresolvable // 2

    await eventually(all_were_met, TIMEOUT_SECONDS)
    await end_state.wait_until_done(folder)
    assert end_state.dead_letters(folder) == []
    token = {"authorization": running.canary.http.headers["authorization"]}
    url = f"{running.openmeet_url}/api/events/{acknowledged.slug}/answer"
    shown = (await _alone("GET", url, headers=token)).json()
    assert shown["status"] == {"going": "attending"}.get(acknowledged.answer, acknowledged.answer)
    listed = await _alone(
        "GET",
        f"{running.pds_url}/xrpc/com.atproto.repo.listRecords?repo={running.canary.account.did}&collection={RSVP}",
    )
    words = [record["value"]["status"].rpartition("#")[2] for record in listed.json()["records"]]
    assert words == [TOKENS[acknowledged.answer]], "the record does not have the last answer"


async def _is_listed(running: Installation, uri: str) -> bool:
    found = await _alone("GET", f"{running.openmeet_url}/api/events?uri={uri}")
    return found.status_code == 200 and bool(found.json()["events"])


def _progress(folder: Path, relay_url: str) -> tuple[int, int]:
    """How far the relay has been read, and how many authors wait to be resolved."""
    question = """
        select (select max(cursor) from sources where url = ?), (select count(*) from unresolved_repositories)
    """
    with closing(sqlite3.connect(f"file:{folder / 'network.db'}?mode=ro", uri=True, timeout=10)) as database:
        cursor, unresolved = database.execute(question, (relay_url,)).fetchone()
    return cursor or 0, unresolved
