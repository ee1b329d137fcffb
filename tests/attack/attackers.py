"""Denial-of-service attacks on two servers, each with a name and repeated until the end of the test."""

import asyncio
import contextlib
import itertools
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from tests.system.servers import Account
from tests.timeouts import TIMEOUT_SECONDS

# The delay before a disconnected attacker reconnects, in seconds.
PAUSE_SECONDS = 0.5
DRIP_SECONDS = 0.3

NOTE = "com.example.note"
EVERY_HALF_HOUR = "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=0,30"
BOMB = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        *(
            f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTART:20261101T100000Z\r\nSUMMARY:x\r\nRRULE:{EVERY_HALF_HOUR}\r\nEND:VEVENT"
            for number in range(900)
        ),
        "END:VCALENDAR",
        "",
    ]
)
BRACKETS = ("[" * 20_000, "](" * 10_000, "(http://a.example/" + ")" * 19_000, "*_`" * 6_600)
MANY_FIELDS = "&".join(f"field{number}=x" for number in range(10_000)).encode()
LARGE_FIELD = b"handle=" + b"x" * 8_000_000

# Names of attacks. The attacks that hold connections run against both servers; the others are requests that get a
# response.
HOLDING = {
    f"{server}: {name}"
    for server in ("openmeet", "pds")
    for name in ("nothing", "slow head", "slow body", "slow reader")
}
REQUESTS = {"openmeet: flood", "pds: flood", "calendar", "brackets", "many fields", "large field"}
ATTACKS = HOLDING | REQUESTS


@dataclass(frozen=True)
class Target:
    """The targets: two servers, the attacker's account on both with its API ``authorization``, events with the texts of
    ``BRACKETS``, and the addresses that attacks come from.
    """

    openmeet_url: str
    pds_url: str
    account: Account
    authorization: str
    texts: list[str]
    addresses: Iterator[str]


@dataclass(frozen=True)
class Pressure:
    """The number of attackers. ``holders``: connections of each holding kind to each server. ``floods``, ``expensive``:
    concurrent requests of each kind.
    """

    holders: int
    floods: int
    expensive: int


@dataclass
class Report:
    """Results: how often the canary was served and how it was turned away, how often each attack was made, the response
    statuses, and the peak memory in megabytes.
    """

    served: int = 0
    turned_away: list[str] = field(default_factory=list)
    attacks: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    memory: Counter[str] = field(default_factory=Counter)


async def prepare(target: Target) -> None:
    """Write records that make a large response."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        for number in range(10):
            record = {"$type": NOTE, "text": "x" * 80_000, "number": number}
            made = await target.account.call(http, "createRecord", {"collection": NOTE, "record": record})
            assert made.status_code == 200, made.text


@asynccontextmanager
async def attacked(target: Target, pressure: Pressure, report: Report) -> AsyncIterator[None]:
    """Run all attacks concurrently until the block ends."""
    makers = [
        *(one for one in _holding(target, report) for _ in range(pressure.holders)),
        *(one for one in _flooding(target, report) for _ in range(pressure.floods)),
        *(one for one in _expensive(target, report) for _ in range(pressure.expensive)),
    ]
    tasks = [asyncio.create_task(_again(one)) for one in makers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    wrong = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
    assert wrong == [], f"attackers ended: {wrong[:3]}"


async def _again(attack: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(OSError, httpx.HTTPError, TimeoutError):
            await attack()
        await asyncio.sleep(PAUSE_SECONDS)


def _holding(target: Target, report: Report) -> list[Callable[[], Awaitable[None]]]:
    """The attacks that hold a connection, one of each kind for each server."""
    listing = f"/xrpc/com.atproto.repo.listRecords?repo={target.account.did}&collection={NOTE}&limit=100"
    method = "/xrpc/com.atproto.server.createSession"

    def holder(name: str, url: str, start: bytes, drip: bytes, *, reads: bool) -> Callable[[], Awaitable[None]]:
        async def hold() -> None:
            async with _connection(url, next(target.addresses)) as (reader, writer):
                writer.write(start)
                report.attacks[name] += 1
                while not reader.at_eof():
                    await asyncio.sleep(DRIP_SECONDS)
                    if writer.transport.is_closing():  # uvloop raises RuntimeError if such a transport is used
                        return
                    if drip:
                        writer.write(drip)
                        await writer.drain()
                    if reads:
                        await reader.read(1)

        return hold

    found = []
    for server, url, form, large in (
        ("openmeet", target.openmeet_url, "/sign-in/handle", "/api/openapi.json"),
        ("pds", target.pds_url, method, listing),
    ):
        host = f"host: {urlsplit(url).netloc}\r\n".encode()
        post = b"POST " + form.encode() + b" HTTP/1.1\r\n" + host + b"content-type: application/json\r\n"
        get = b"GET " + large.encode() + b" HTTP/1.1\r\n" + host
        found += [
            holder(f"{server}: nothing", url, b"", b"", reads=False),
            holder(f"{server}: slow head", url, get + b"x: ", b"a", reads=False),
            holder(f"{server}: slow body", url, post + b"content-length: 100000\r\n\r\n{", b" ", reads=False),
            holder(f"{server}: slow reader", url, (get + b"\r\n") * 3, b"", reads=True),
        ]
    return found


@asynccontextmanager
async def _connection(url: str, address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection from the given local address, with the smallest receive buffer that the system allows."""
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.setblocking(False)
    try:
        plug.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", urlsplit(url).port))
        reader, writer = await asyncio.open_connection(sock=plug, limit=1024)
    except BaseException:
        plug.close()
        raise
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _flooding(target: Target, report: Report) -> list[Callable[[], Awaitable[None]]]:
    """Many pipelined requests, each batch on a connection of its own."""
    pages = ["/", "/groups?q=chess", "/sign-in", "/no/such/page", "/api/events?limit=50"]
    methods = [
        "com.atproto.server.describeServer",
        f"com.atproto.sync.getRepo?did={target.account.did}",
        f"com.atproto.repo.listRecords?repo={target.account.did}&collection={NOTE}",
        "com.atproto.sync.listRepos",
    ]

    def flood(name: str, urls: list[str]) -> Callable[[], Awaitable[None]]:
        turns = itertools.cycle(urls)

        async def send() -> None:
            for _ in urls:
                await _send(target, report, name, "GET", next(turns))

        return send

    return [
        flood("openmeet: flood", [target.openmeet_url + page for page in pages]),
        flood("pds: flood", [f"{target.pds_url}/xrpc/{method}" for method in methods]),
        flood("brackets", [f"{target.openmeet_url}/events/{slug}" for slug in target.texts]),
    ]


def _expensive(target: Target, report: Report) -> list[Callable[[], Awaitable[None]]]:
    """Requests that are expensive to parse."""
    token = {"authorization": target.authorization}
    form = {"origin": target.openmeet_url, "content-type": "application/x-www-form-urlencoded"}
    sign_in = f"{target.openmeet_url}/sign-in/handle"

    async def calendar() -> None:
        url = f"{target.openmeet_url}/api/imports"
        await _send(target, report, "calendar", "POST", url, headers=token, json={"ics": BOMB})

    async def many_fields() -> None:
        await _send(target, report, "many fields", "POST", sign_in, headers=form, content=MANY_FIELDS)

    async def large_field() -> None:
        await _send(target, report, "large field", "POST", sign_in, headers=form, content=LARGE_FIELD)

    return [calendar, many_fields, large_field]


async def _send(target: Target, report: Report, name: str, method: str, url: str, **rest: object) -> None:
    """Send a request. The attack counts as made once it was sent, even without a response."""
    way = httpx.AsyncHTTPTransport(local_address=next(target.addresses), trust_env=False)
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, transport=way) as http:
            answer = await http.request(method, url, **rest)  # type: ignore[arg-type]
        report.statuses[name, answer.status_code] += 1
    finally:
        report.attacks[name] += 1
