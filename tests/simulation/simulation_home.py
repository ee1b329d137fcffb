"""A PDS of the simulated network, and the two proxies by which OpenMeet reaches it: one for calls, one for its stream."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from aurora_locus.app import AuroraLocus, open_server
from aurora_locus.sequencer import queries as sequencer
from aurora_locus.settings import PdsSettings
from groundwork.clock import HandClock, Instant
from groundwork.http.server import serve
from groundwork.settings import Secret
from tests.simulation.announced import Announced, announced_in
from tests.simulation.processes import free_port
from tests.simulation.proxy import LossyProxy
from tests.simulation.repeatable import NamedServers

ADMIN = "an administrator's password"
HANDLE_DOMAIN = ".town.test"
NOWHERE = "http://127.0.0.1:9"
# The simulated clock advances by weeks until nothing is left to do, and then the whole stream is read again from its
# beginning.
REPLAYED_SECONDS = 365 * 86400.0
_REPO = "/xrpc/com.atproto.repo."


@dataclass
class Faults:
    """Faults of the network: loses the response to the n-th request from now on and, if there is a ``victim``, cancels
    the task that waits for it.

    ``delaying``: writes are delayed until they are delivered explicitly.
    """

    clock: HandClock
    left: int | None = None
    victim: asyncio.Task[object] | None = None
    delaying: bool = False

    def loses(self, _request: web.Request) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        if self.left > 0:
            return False
        self.left = None
        if self.victim is not None:
            self.victim.cancel()
        return True

    def clear(self) -> None:
        self.left = self.victim = None


@dataclass
class Home:
    """A PDS. People's own applications always reach it at ``url``; OpenMeet calls ``proxy`` and follows the stream of
    ``line``.
    """

    pds: AuroraLocus
    url: str
    proxy: LossyProxy
    line: LossyProxy
    faults: Faults
    folder: Path
    is_busy: bool = False
    # The stream is interrupted for a while, but calls work.
    is_cut: bool = False
    # When each of the delayed writes was sent.
    sent_at: list[Instant] = field(default_factory=list)
    # Numbers of frames that the stream never delivers.
    lost_frames: set[int] = field(default_factory=set)
    # Everything that the PDS ever announced, by number. The PDS itself deletes the announcements of deleted accounts.
    announced: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_away(self) -> bool:
        return self.proxy.upstream == NOWHERE

    def take_away(self, *, is_away: bool) -> None:
        self.proxy.upstream = NOWHERE if is_away else self.url

    def delays(self, request: web.Request) -> bool:
        if not self.faults.delaying or request.method != "POST" or not request.path.startswith(_REPO):
            return False
        self.sent_at.append(self.faults.clock.now())
        return True

    def stops(self, request: web.Request) -> web.Response | None:
        """If the PDS is at its rate limit, refuse every request with a user's credentials."""
        if not self.is_busy or "authorization" not in request.headers:
            return None
        return web.json_response({"error": "RateLimitExceeded"}, status=429, headers={"retry-after": "30"})

    def drops(self, frame: bytes) -> bool:
        """Whether the stream loses this frame."""
        return bool(self.lost_frames) and announced_in(frame).seq in self.lost_frames

    async def last_seq(self) -> int:
        async with self.pds.registry.db.reader() as reader:
            row = await reader.fetch_one("select last from sequencer")
        assert row is not None
        return int(row["last"])

    async def listen(self) -> list[tuple[int, Announced]]:
        """Remember and return all announcements after the last known number that the server still has."""
        last = max(self.announced, default=0)
        fresh: list[tuple[int, bytes]] = []
        while page := await sequencer.page(self.pds.registry.db, fresh[-1][0] if fresh else last, 1000):
            fresh += page
        self.announced |= dict(fresh)
        return [(seq, announced_in(frame)) for seq, frame in fresh]


async def open_home(
    stack: AsyncExitStack, folder: Path, clock: HandClock, plc_url: str, faults: Faults, servers: NamedServers
) -> Home:
    """A PDS on a free port, with both proxies. The proxies have fixed names, because a DID depends on the address of
    its PDS.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    proxy, line = [await stack.enter_async_context(LossyProxy(url)) for _ in range(2)]
    host = f"{folder.name}.localhost"
    proxy.url, line.url = servers.name(host, proxy.url), servers.name(f"stream.{host}", line.url)
    pds = await stack.enter_async_context(
        open_server(
            PdsSettings(
                hostname=host,
                port=port,
                public_url=proxy.url,
                data_directory=folder,
                service_handle_domains=(HANDLE_DOMAIN,),
                did_plc_url=plc_url,
                admin_password=Secret(ADMIN),
                dev_mode=True,
                firehose_retention=REPLAYED_SECONDS,
            ),
            clock,
            version="test",
            access_log=False,
        )
    )
    serving = await serve(pds.app, "127.0.0.1", port)
    stack.push_async_callback(serving.stop)
    home = Home(pds, url, proxy, line, faults, folder)
    proxy.loses, proxy.delays, proxy.stops = faults.loses, home.delays, home.stops
    line.drops = home.drops
    return home
