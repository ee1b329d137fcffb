"""Subscribers in a separate process: ``python -m tests.bench.reference.follow URL COUNT END [CURSOR]``.

Prints ``ready`` when all are connected. Each reads until it has a number of commits, or the commit with a given CID.
Then prints one line of JSON: when all were connected, the CID of each commit in order, when each subscriber received
each, how many frames the first one received, and the checksums of what they received.
"""

import asyncio
import json
import sys
import time
import zlib

from aiohttp import ClientSession, ClientTimeout, TCPConnector, WSMsgType

from at_protocol.data.cid import Cid
from at_protocol.sync import events
from tests.bench.loop import run


class Subscriber:
    """What one subscriber received. Only the first one keeps the frames."""

    def __init__(self, *, keeps: bool) -> None:
        self.arrivals: list[float] = []
        self.commits: list[bytes] = []
        self.frames = self.checksum = self.octets = 0
        self.connected = asyncio.Event()
        self._keeps = keeps

    async def read(self, http: ClientSession, url: str, commits: int, last: bytes) -> None:
        """Read until the given number of commits has been seen or, if ``last`` is not empty, the commit with that CID."""
        async with http.ws_connect(url, max_msg_size=0, compress=0) as socket:
            self.connected.set()
            while len(self.arrivals) < commits:
                message = await socket.receive()
                if message.type is not WSMsgType.BINARY:
                    raise SystemExit(f"the stream ended early: {message}")
                data = message.data
                self.frames += 1
                self.octets += len(data)
                self.checksum = zlib.crc32(data, self.checksum)
                # The header is a map of two short fields; its first bytes contain the kind.
                if b"#commit" in data[:16]:
                    self.arrivals.append(time.monotonic())
                    if self._keeps:
                        self.commits.append(data)
                    if last and last in data:
                        return


def _commit_of(frame: bytes) -> str:
    message = events.read(frame)
    assert isinstance(message, events.CommitMessage)
    return str(message.commit)


async def main() -> None:
    """Subscribe, wait, and print the report."""
    url, count, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    commits, last = (int(end), b"") if end.isdecimal() else (sys.maxsize, bytes(Cid.parse(end)))
    target = f"{url.replace('http', 'ws', 1)}/xrpc/com.atproto.sync.subscribeRepos"
    if len(sys.argv) > 4:
        target += f"?cursor={sys.argv[4]}"
    subscribers = [Subscriber(keeps=not number) for number in range(count)]
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None)) as http:
        tasks = [asyncio.create_task(one.read(http, target, commits, last)) for one in subscribers]
        for one in subscribers:
            await one.connected.wait()
        connected = time.monotonic()
        print("ready", flush=True)
        await asyncio.gather(*tasks)
    report = {
        "connected": connected,
        "commits": [_commit_of(frame) for frame in subscribers[0].commits],
        "arrivals": [one.arrivals for one in subscribers],
        "frames": subscribers[0].frames,
        "octets": subscribers[0].octets,
        "checksums": sorted({one.checksum for one in subscribers}),
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    run(main())
