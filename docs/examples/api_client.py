"""Create an event with OpenMeet's API, answer it, find it again, and cancel it.

    python docs/examples/api_client.py http://127.0.0.1:8080 TOKEN

Create the token on the site, under Settings → Apps and tokens. It needs the scopes read, events:write and answers:write.
"""

import asyncio
import sys

from openmeet_client.client import OpenMeet
from openmeet_client.errors import Problem
from openmeet_client.model import NewEvent, Venue


async def main(url: str, token: str) -> None:
    async with OpenMeet(url, token) as api:
        wanted = NewEvent("Board games", "2031-03-04T18:00", "Europe/Berlin", venue=Venue(name="Town library"))
        event = await api.events.create(wanted)
        print(event.url)
        print((await api.answers.give(event.slug, "going")).status)
        async for found in api.events.coming(q="board games"):
            going = found.counts.going if found.counts else 0
            print(f"{found.title}, {found.starts_at}, {going} going")
        cancelled = await api.events.cancel(event.slug, "The library is closed.", if_match=event.revision)
        print(cancelled.status)
        try:
            await api.events.save(event.slug, wanted, if_match=event.revision)
        except Problem as problem:
            print(problem.detail)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
