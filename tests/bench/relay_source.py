"""A relay in a separate process: it sends the captured frames over and over, with new numbers, at a given rate.

    python -m tests.bench.relay_source RATE SECONDS

Prints its address, then sends to every subscriber.
"""

import asyncio
import contextlib
import sys
from itertools import cycle, islice

from aiohttp import web

from tests.bench import captured

FIRST = 1 << 32
PATH = "/xrpc/com.atproto.sync.subscribeRepos"
# The map's key, and the header of an unsigned number of eight bytes.
_SEQ = b"\x63seq\x1b"
_TICK = 0.01


def numbered(frames: list[bytes], count: int) -> list[bytes]:
    """The given number of frames with the numbers ``FIRST``, ``FIRST`` + 1, …; frames without a number (errors) are
    left out.
    """
    usable = [frame for frame in frames if frame.count(_SEQ) == 1]
    made = []
    for number, frame in enumerate(islice(cycle(usable), count), FIRST):
        at = frame.index(_SEQ) + len(_SEQ)
        made.append(frame[:at] + number.to_bytes(8) + frame[at + 8 :])
    return made


async def serve(rate: int, seconds: int) -> None:
    """Serve until the parent process ends this one."""
    frames = numbered(captured.frames(), rate * seconds)

    async def subscribe(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while sent < len(frames):
            due = min(len(frames), int((loop.time() - began) * rate) + 1)
            with contextlib.suppress(ConnectionError):  # the subscriber has seen enough
                for frame in frames[sent:due]:
                    await socket.send_bytes(frame)
            sent = due
            await asyncio.sleep(_TICK)
        return socket

    app = web.Application()
    app.router.add_get(PATH, subscribe)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
