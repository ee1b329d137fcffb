"""Open pages of a chat in a separate process: ``python -m tests.bench.chat_readers URL ROOM COUNT EACH TOKEN …``.

Each token opens EACH streams. Prints ``ready`` when all are open. When each stream has received COUNT messages, prints
a line for each message: the times of the monotonic clock at which the streams received it.
"""

import asyncio
import sys
import time

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.bench.loop import run


async def _follow(http: ClientSession, url: str, token: str, heard: list[list[float]], opened: asyncio.Event) -> None:
    async with http.get(url, headers={"cookie": f"openmeet_session={token}"}) as answer:
        if answer.status != 200:
            raise SystemExit(f"the stream was answered with {answer.status}")
        opened.set()
        number = 0
        async for line in answer.content:
            if line.startswith(b"event: message"):
                heard[number].append(time.monotonic())
                number += 1
                if number == len(heard):
                    return
    raise SystemExit("a stream ended early")


async def main() -> None:
    """Open the streams, wait for the messages, and print the times."""
    url, room, count, each, *tokens = sys.argv[1:]
    heard: list[list[float]] = [[] for _ in range(int(count))]
    # Read from the start, so that no message that is sent while the pages open is missed. The first two numbers belong
    # to the room itself.
    address = f"{url}/chat/live?room={room}&after=1"
    async with ClientSession(
        connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None), read_bufsize=2**20
    ) as http:
        streams = [(token, asyncio.Event()) for token in tokens for _ in range(int(each))]
        tasks = [asyncio.create_task(_follow(http, address, token, heard, opened)) for token, opened in streams]
        for _, opened in streams:
            await opened.wait()
        print("ready", flush=True)
        await asyncio.gather(*tasks)
    for each_heard in heard:
        print(*each_heard, flush=True)


if __name__ == "__main__":
    run(main())
