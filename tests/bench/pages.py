"""Pages that many people open from a shared link, from one web process, compared with those of a ticket shop; also
while others write.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import aiohttp

from tests.bench import ticket_shop
from tests.bench.figure import Figure, Peer, check
from tests.bench.loop import run
from tests.bench.timing import percentile, progress
from tests.simulation.processes import free_port
from tests.timeouts import TIMEOUT_SECONDS

VISITORS: Final = 8
SECONDS: Final = 8.0
PEER_SECONDS: Final = 12.0
WARM_UP: Final = 2.0
# The target as a multiple of the peer's rate, and the readers per second at which the 99th percentile is measured.
TIMES_THE_PEER: Final = 20
READERS: Final = 200
SLOWEST_IN_MEDIANS: Final = 3.0
_KINDS: Final = ("event page", "discover, 30 events")


def measure() -> Iterator[Figure]:
    ours, spread, edited = run(_measure())
    theirs = run(_measure_peer()) if ticket_shop.is_configured() else None
    for kind in _KINDS:
        peer = None if theirs is None else Peer("pretix, one worker", theirs[kind])
        target = None if theirs is None else TIMES_THE_PEER * theirs[kind]
        note = "" if theirs is not None else f"no peer: {ticket_shop.VARIABLE} is not set"
        yield Figure(f"{kind}, {VISITORS} visitors at once", ours[kind], "/s", target, peer=peer, note=note)
    for kind in _KINDS:
        yield Figure(f"{kind}, something is committed ten times a second", edited[kind], "/s")
    for kind in _KINDS:
        median, slowest = spread[kind]
        yield Figure(f"one {kind}, {READERS} readers a second, median", median * 1000, "ms", less_is_better=True)
        yield Figure(
            "  its p99 as a multiple of it", slowest / median, "×", SLOWEST_IN_MEDIANS, less_is_better=True
        )  # fmt: skip


async def _measure() -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    progress("a town of events")
    with town_server() as town:
        return await _ours(town.url, town.begin_writing)


async def _ours(
    url: str, begin_writing: Callable[[], None]
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    async with client_of(url) as client:
        await wait_until_reachable(client, "/")
        pages = {"event page": await paths_of_events(client), "discover, 30 events": ["/"]}
        progress("reading it")
        rates, spread, edited = {}, {}, {}
        for kind, paths in pages.items():
            await _rate(client, paths, WARM_UP)
            rates[kind] = await _rate(client, paths, SECONDS)
            spread[kind] = await _spread(client, paths[0])
        begin_writing()
        for kind, paths in pages.items():
            edited[kind] = await _rate(client, paths, SECONDS)
    return rates, spread, edited


async def _measure_peer() -> dict[str, float]:
    with ticket_shop.running() as url:
        return await _theirs(url)


async def _theirs(url: str) -> dict[str, float]:
    async with client_of(url) as client:
        events = [f"/town/jazz{number}/" for number in range(ticket_shop.EVENTS)]
        pages = {"event page": events, "discover, 30 events": ["/town/"]}
        await wait_until_reachable(client, "/town/")
        progress("reading pretix")
        rates = {}
        for kind, paths in pages.items():
            await _rate(client, paths, WARM_UP)
            rates[kind] = await _rate(client, paths, PEER_SECONDS)
    return rates


async def _rate(client: aiohttp.ClientSession, paths: Sequence[str], seconds: float) -> float:
    """Pages per second, for ``VISITORS`` who each request the next page as soon as they have one."""
    count, until = 0, perf_counter() + seconds
    begun = perf_counter()

    async def visit(number: int) -> None:
        nonlocal count
        while perf_counter() < until:
            await _read(client, paths[(number + count) % len(paths)])
            count += 1

    await asyncio.gather(*(visit(number) for number in range(VISITORS)))
    return count / (perf_counter() - begun)


async def _spread(client: aiohttp.ClientSession, path: str) -> tuple[float, float]:
    """Seconds, the median and the 99th percentile, for readers of one page who arrive at a steady pace, even while
    earlier readers wait.
    """
    found: list[float] = []

    async def visit() -> None:
        begun = perf_counter()
        await _read(client, path)
        found.append(perf_counter() - begun)

    begun, readers = perf_counter(), []
    for number in range(int(READERS * SECONDS)):
        await asyncio.sleep(max(0.0, begun + number / READERS - perf_counter()))
        readers.append(asyncio.create_task(visit()))
    await asyncio.gather(*readers)
    return percentile(found, 0.5), percentile(found, 0.99)


async def _read(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        body = await answer.read()
        check(answer.status == 200 and len(body) > 1000, f"{path} was answered with {answer.status}")


async def paths_of_events(client: aiohttp.ClientSession) -> list[str]:
    async with client.get("/", headers={"accept-encoding": "identity"}) as answer:
        found = set(re.findall(r'href="(/events/[\w-]+)"', await answer.text())) - {"/events/new"}
    check(len(found) >= 20, f"discover lists {len(found)} events")
    return sorted(found)


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without cookies, like somebody who follows a link for the first time."""
    async with aiohttp.ClientSession(
        url,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(TIMEOUT_SECONDS),
        auto_decompress=False,
        headers={"accept-encoding": "gzip"},
    ) as client:
        yield client


async def wait_until_reachable(client: aiohttp.ClientSession, path: str) -> None:
    for _ in range(600):
        try:
            await _read(client, path)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
        else:
            return
    check(holds=False, what=f"{path} is not answered")


@dataclass(frozen=True, slots=True)
class TownServer:
    """A web process with the demo town. ``begin_writing`` makes it commit something ten times a second from then on.
    ``token_file`` has the token of a session of somebody in the town, when the server can be reached.
    """

    url: str
    begin_writing: Callable[[], None]
    token_file: Path


@contextmanager
def town_server() -> Iterator[TownServer]:
    port = free_port()
    with (
        TemporaryDirectory(prefix="openmeet-bench-") as folder,
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.page_server", str(port), str(token_file := Path(folder, "token"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as server,
    ):
        said = server.stdin
        assert said is not None

        def begin_writing() -> None:
            said.write("write\n")
            said.flush()

        yield TownServer(f"http://127.0.0.1:{port}", begin_writing, token_file)
