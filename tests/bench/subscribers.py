"""Subscribers of a firehose in a separate process: ``python -m tests.bench.subscribers URL COUNT FRAMES [CURSOR]``.

Prints ``ready`` when all are connected. When each has received the requested number of frames, prints one line of JSON:
when the last subscriber had them, and a checksum of what each received in order, which reveals gaps and changed bytes.
"""

import asyncio
import json
import sys
import time
import zlib

from aiohttp import ClientSession, ClientTimeout, TCPConnector, WSMsgType

from tests.bench.loop import run


async def _subscribe(http: ClientSession, url: str, frames: int, connected: asyncio.Event) -> tuple[float, int, int]:
    checksum = octets = 0
    async with http.ws_connect(url, max_msg_size=0, compress=0) as socket:
        connected.set()
        for _ in range(frames):
            message = await socket.receive()
            if message.type is not WSMsgType.BINARY:
                raise SystemExit(f"the stream ended early: {message}")
            checksum = zlib.crc32(message.data, checksum)
            octets += len(message.data)
        return time.monotonic(), checksum, octets


async def main() -> None:
    """Subscribe, wait, and print the report."""
    url, count, frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    target = f"{url.replace('http', 'ws', 1)}/xrpc/com.atproto.sync.subscribeRepos"
    if len(sys.argv) > 4:
        target += f"?cursor={sys.argv[4]}"
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None)) as http:
        connected = [asyncio.Event() for _ in range(count)]
        tasks = [asyncio.create_task(_subscribe(http, target, frames, event)) for event in connected]
        for event in connected:
            await event.wait()
        print("ready", flush=True)
        results = await asyncio.gather(*tasks)
    print(
        json.dumps(
            {
                "done": max(done for done, _, _ in results),
                "checksums": sorted({checksum for _, checksum, _ in results}),
                "bytes": sum(octets for _, _, octets in results),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    run(main())
