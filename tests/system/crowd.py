"""The people in a storm: guests who answer a host's events on OpenMeet, and others who answer with records."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.simulation.oracle import View
from tests.system.guests import TOKENS, WORDS, Guest, Stranger, account_on, sign_in, write_event
from tests.system.tour.polling import eventually

TIMEOUT_SECONDS = 180.0


@dataclass
class Crowd:
    """``written``: URI and CID of each event's record. ``slugs``: OpenMeet's slug by URI."""

    written: list[tuple[str, str]]
    slugs: dict[str, str]
    guests: list[Guest]
    strangers: list[Stranger]
    pauses: tuple[float, float]
    is_torn: bool

    @asynccontextmanager
    async def answering(self, chance: random.Random) -> AsyncIterator[None]:
        """Everyone gives changing answers for the duration of the block."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for guest in self.guests:
                group.create_task(self._answer(guest, random.Random(chance.random()), stop))
            for stranger in self.strangers:
                group.create_task(self._write(stranger, random.Random(chance.random()), stop))
            yield
            stop.set()

    @property
    def answers_here(self) -> int:
        """How often people changed their answer on a page."""
        return sum(sum(guest.changes.values()) for guest in self.guests)

    def check_last_words(self, announced: View) -> None:
        """Check that the last answer of each OpenMeet guest is the one in their repository."""
        for guest in self.guests:
            did = guest.account.did
            said = {(did, uri): TOKENS[guest.said[slug]] for uri, slug in self.slugs.items() if slug in guest.said}
            published = {key: word for key, word in announced.answers.items() if key[0] == did}
            assert published == said, "the answers on OpenMeet and the published ones differ"

    async def _answer(self, guest: Guest, chance: random.Random, stop: asyncio.Event) -> None:
        slugs = list(self.slugs.values())
        while not stop.is_set():
            slug, word = chance.choice(slugs), chance.choice(WORDS)
            try:
                await guest.answer(slug, word)
            except (httpx.TransportError, AssertionError):
                if not self.is_torn:
                    raise
                # It is not known whether this answer was accepted before the server died, so the person has to repeat
                # it.
                guest.said[slug] = word
            await asyncio.sleep(chance.uniform(*self.pauses))

    async def _write(self, stranger: Stranger, chance: random.Random, stop: asyncio.Event) -> None:
        while not stop.is_set():
            torn = (httpx.TransportError, AssertionError) if self.is_torn else ()
            with contextlib.suppress(*torn):
                await stranger.answer(chance, *chance.choice(self.written))
            await asyncio.sleep(chance.uniform(*self.pauses))


@asynccontextmanager
async def gathered(
    openmeet_url: str,
    *,
    guests: list[tuple[str, str]],
    strangers: list[tuple[str, str]],
    host: tuple[str, str],
    events: int,
    pauses: tuple[float, float],
    is_torn: bool = False,
) -> AsyncIterator[Crowd]:
    """Wait until everyone has an account and OpenMeet has the host's events. People are given as (PDS, handle).
    ``pauses``: seconds between answers.

    ``is_torn``: the servers that people use are also killed, so not every call gets a response.
    """
    hana = await account_on(*host)
    written = [await write_event(hana, f"Event {number}") for number in range(events)]
    async with AsyncExitStack() as stack:
        here = []
        for pds_url, handle in guests:
            here.append(await sign_in(openmeet_url, await account_on(pds_url, handle), handle))
            stack.push_async_callback(here[-1].http.aclose)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60, trust_env=False))
        elsewhere = [Stranger(await account_on(*who), http) for who in strangers]
        slugs = {uri: await _slug_of(openmeet_url, uri) for uri, _ in written}
        yield Crowd(written, slugs, here, elsewhere, pauses, is_torn)


async def _slug_of(openmeet_url: str, uri: str) -> str:
    async def look() -> str | None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            found = (await http.get(f"{openmeet_url}/api/events", params={"uri": uri})).json()["events"]
        return str(found[0]["slug"]) if found else None

    return await eventually(look, TIMEOUT_SECONDS)
