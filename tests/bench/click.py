"""Time from a click on "Going" until the answer has returned over the network, on ``openmeet up`` as a person starts
it.

Ana's events are records in her repository. Ben, signed in with his own repository, answers one after another with the
form on the page. Two times are measured from the click: until his record is on the PDS's firehose, as our own
subscriber sees it, and until OpenMeet has received it from there and applied it to its database.
"""

import asyncio
import json
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from aiohttp import ClientSession

from at_protocol.sync.frames import summarize
from tests.bench.captured import EVENT
from tests.bench.figure import Figure, Wrong, check
from tests.bench.loop import run
from tests.bench.timing import percentile, progress
from tests.simulation.processes import Program, free_port
from tests.simulation.visitor import Visitor

CLICKS = 100
WARM_UP = 5
RSVP = "community.lexicon.calendar.rsvp"
TIMEOUT_SECONDS = 20.0
# Long enough for an idle worker to pause again, and random, so that the pauses do not coincide with the workers' own
# intervals.
PAUSE_SECONDS = (0.02, 0.12)
SEEN = "select count(*) from records where collection = ?"


@dataclass
class Times:
    """Seconds since the click."""

    answered: list[float] = field(default_factory=list)
    framed: list[float] = field(default_factory=list)
    ingested: list[float] = field(default_factory=list)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        times = run(_measure(Path(folder)))
    rows = (
        ("click on an answer → page", times.answered, None),
        ("click → frame on the firehose", times.framed, None),
        ("click → ingested from there", times.ingested, 300),
    )
    for name, seconds, target in rows:
        yield Figure(f"{name}, median", percentile(seconds, 0.5) * 1000, "ms", less_is_better=True)
        p99 = percentile(seconds, 0.99) * 1000
        yield Figure(f"{name}, p99 of {len(seconds)}", p99, "ms", target, less_is_better=True)


async def _measure(folder: Path) -> Times:
    progress("starting a network")
    ready_file = folder / "ready.json"
    options = [f"--{name}-port={free_port()}" for name in ("plc", "pds", "web")]
    arguments = ["--data", str(folder / "data"), "--ready-file", str(ready_file), *options]
    program = Program("up", {}, folder / "up.log", arguments=arguments)
    await program.start()
    try:
        ready = await _eventually(lambda: _ready(program, ready_file), "the network did not start")
        return await _click_through(ready, folder / "data" / "openmeet")
    except (Wrong, AssertionError, httpx.HTTPError) as failure:
        raise Wrong(f"{failure!r}\n{program.said()[-3000:]}") from failure
    finally:
        await program.stop()


async def _click_through(ready: dict[str, Any], databases: Path) -> Times:
    ana, ben = ready["people"][:2]
    count = WARM_UP + CLICKS
    progress(f"Ana writes {count} events")
    # A person who has signed in on this site may write any number of events at once. Of an unknown author, a hundred
    # events would wait for a moderator.
    async with Visitor(ready["openmeet"]) as hers:
        await _sign_in(hers, ana)
    paths = await _write_events(ready, ana, count)
    async with Visitor(ready["openmeet"]) as visitor, ClientSession() as http:
        await _sign_in_and_agree(visitor, ben)
        stream = ready["pds"].replace("http", "ws", 1) + "/xrpc/com.atproto.sync.subscribeRepos"
        async with http.ws_connect(stream, max_msg_size=0) as socket:
            with _Database(databases) as database:
                times = Times()
                for number, path in enumerate(paths):
                    if number % 20 == 0:
                        progress(f"Ben answers, {number} of {count}")
                    await _click(visitor, socket, database, path, number + 1, times)
                    await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
        page = await visitor.open(paths[-1])
        check("1 going" in page.text, "the page does not count the answer once")
    return Times(times.answered[WARM_UP:], times.framed[WARM_UP:], times.ingested[WARM_UP:])


async def _click(visitor: Visitor, socket: Any, database: "_Database", path: str, expected: int, times: Times) -> None:
    page = await visitor.open(path)
    clicked = perf_counter()

    async def answer() -> None:
        seen = await visitor.submit(page, "/answer", button=("reply", "going"))
        times.answered.append(perf_counter() - clicked)
        check(seen.status == 200, f"the form was answered with status {seen.status}")

    async def frame() -> None:
        while True:
            seen = summarize(await asyncio.wait_for(socket.receive_bytes(), TIMEOUT_SECONDS))
            if any(one.startswith(RSVP) for one in seen.paths):
                times.framed.append(perf_counter() - clicked)
                return

    async def ingested() -> None:
        await _eventually(lambda: database.count() >= expected, "the answer did not come back", 0.002)
        times.ingested.append(perf_counter() - clicked)

    await asyncio.gather(answer(), frame(), ingested())
    check(database.count() == expected, "one click became several records")


async def _write_events(ready: dict[str, Any], person: dict[str, str], count: int) -> list[str]:
    """Write records as any client of the PDS would. Returns the paths of the pages that OpenMeet made for them."""
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"identifier": person["handle"], "password": person["password"]}
        session = (await http.post(f"{ready['pds']}/xrpc/com.atproto.server.createSession", json=body)).json()
        headers = {"authorization": f"Bearer {session['accessJwt']}"}
        uris = []
        for number in range(count):
            record = {**EVENT, "name": f"Board games {number}", "startsAt": "2037-07-09T17:00:00.000Z"}
            record["endsAt"] = "2037-07-09T20:00:00.000Z"
            body = {"repo": session["did"], "collection": EVENT["$type"], "record": record}
            made = await http.post(f"{ready['pds']}/xrpc/com.atproto.repo.createRecord", json=body, headers=headers)
            check(made.status_code == 200, f"createRecord answered {made.status_code}: {made.text}")
            uris.append(made.json()["uri"])
        return [await _page_of(http, ready["openmeet"], uri) for uri in uris]


async def _page_of(http: httpx.AsyncClient, url: str, uri: str) -> str:
    for _ in range(200):
        found = (await http.get(f"{url}/api/events", params={"uri": uri})).json()["events"]
        if found:
            return f"/events/{found[0]['slug']}"
        await asyncio.sleep(0.1)
    raise Wrong(f"OpenMeet never listed {uri}")


async def _sign_in(visitor: Visitor, person: dict[str, str]) -> None:
    page = await visitor.open("/sign-in/handle")
    page = await visitor.submit(page, "/sign-in/handle", handle=person["handle"], password=person["password"])
    if urlsplit(page.url).path == "/welcome":
        await visitor.submit(page, "/welcome")


async def _sign_in_and_agree(visitor: Visitor, person: dict[str, str]) -> None:
    await _sign_in(visitor, person)
    page = await visitor.open("/settings/publishing")
    page = await visitor.submit(page, "/settings/publishing", publish="yes")
    check(page.status == 200, f"agreeing to publish was answered with {page.status}: {page.text[:300]}")


class _Database:
    """The platform's database, opened read-only, so that measuring takes nothing but time from it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        for path in sorted(self._folder.rglob("*.db")):
            connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            if connection.execute("select 1 from sqlite_master where name = 'records'").fetchone():
                self._connection = connection
                return self
            connection.close()
        raise Wrong(f"no database below {self._folder} has a table of records")

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def count(self) -> int:
        """Number of answers that came from the network."""
        return int(self._connection.execute(SEEN, (RSVP,)).fetchone()[0])


def _ready(program: Program, file: Path) -> dict[str, Any] | None:
    check(program.process is not None and program.process.returncode is None, "the network ended while starting")
    return json.loads(file.read_bytes()) if file.exists() else None


async def _eventually(look: Any, otherwise: str, every_seconds: float = 0.05) -> Any:
    deadline = perf_counter() + TIMEOUT_SECONDS * 3
    while perf_counter() < deadline:
        found = look()
        if found:
            return found
        await asyncio.sleep(every_seconds)
    raise Wrong(otherwise)
