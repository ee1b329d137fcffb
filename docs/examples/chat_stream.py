"""Print the messages of a chat live, without gaps after a lost connection.

    python docs/examples/chat_stream.py http://127.0.0.1:8080 TOKEN ROOM

Create the token on the site, under Settings → Apps and tokens. It needs the scope chat:read. GET /api/chat/rooms lists
the ids of rooms.
"""

import asyncio
import json
import sys

import aiohttp

# The site sends at least a comment every 25 seconds.
SILENCE = aiohttp.ClientTimeout(total=None, sock_read=60)


async def main(url: str, token: str, room: str) -> None:
    last_id = event = ""
    async with aiohttp.ClientSession(url, headers={"authorization": f"Bearer {token}"}, timeout=SILENCE) as http:
        while event != "out":  # the token is no longer valid, or its owner left the chat
            headers = {"last-event-id": last_id}
            opening = http.get("/api/chat/live", params={"room": room}, headers=headers, raise_for_status=True)
            try:
                async with opening as stream:
                    async for line in stream.content:
                        name, _, value = line.decode().rstrip("\n").partition(": ")
                        if name == "id":
                            last_id = value
                        elif name == "event":
                            event = value
                        elif name == "data" and event == "message":
                            message = json.loads(value)["message"]
                            print(f"{message['authorName']}: {message['text']}", flush=True)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                await asyncio.sleep(3)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
