"""Consumer, processor and publisher are killed at random while answers travel both ways (invariants 1, 4, 10)."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.journeys import end_state
from tests.journeys.guests import TOKENS, WORDS, Guest, Stranger, account_on, sign_in, write_event
from tests.journeys.stream import whole_stream
from tests.tour.stage import Stage, open_stage
from tests.tour.watching import eventually
from tests.world.announced import answered_twice, changes_in
from tests.world.oracle import canonical_view

KILLED = ("firehose-consumer", "event-processor", "publisher")
EVENTS, GUESTS, STRANGERS = 3, 3, 2


@dataclass(frozen=True)
class Report:
    """What a storm was made of."""

    kills: int
    answers_here: int
    records: int
    slowest_seconds: float


async def storm(folder: Path, *, kills: int, seed: int) -> Report:
    """Raises AssertionError with the seed where the end is not what the streams say it must be."""
    try:
        async with open_stage(folder) as stage, AsyncExitStack() as stack:
            return await _storm(stage, stack, kills, random.Random(seed))
    except AssertionError as wrong:
        raise AssertionError(f"seed {seed}, {kills} kills: {wrong}") from wrong


async def _storm(stage: Stage, stack: AsyncExitStack, kills: int, chance: random.Random) -> Report:
    host = await account_on(stage.second_pds_url, "hana.second.test")
    written = [await write_event(host, f"Event {number}") for number in range(EVENTS)]
    guests = []
    for number in range(GUESTS):
        account = await account_on(stage.pds_url, f"guest{number}.test")
        guests.append(await sign_in(stage.openmeet_url, account, f"guest{number}.test"))
        stack.push_async_callback(guests[-1].http.aclose)
    http = await stack.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
    strangers = [
        Stranger(await account_on(stage.second_pds_url, f"stranger{n}.second.test"), http) for n in range(STRANGERS)
    ]
    slugs = {uri: await _slug_of(stage, uri) for uri, _ in written}

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for guest in guests:
            group.create_task(_answer(guest, list(slugs.values()), random.Random(chance.random()), stop))
        for stranger in strangers:
            group.create_task(_write(stranger, written, random.Random(chance.random()), stop))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.3, 1.2))
            victim = stage.platform[chance.choice(KILLED)]
            await victim.kill()
            await victim.start()
        await asyncio.sleep(0.5)
        stop.set()
    return await _check(stage, guests, slugs, kills)


async def _answer(guest: Guest, slugs: list[str], chance: random.Random, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await guest.answer(chance.choice(slugs), chance.choice(WORDS))
        await asyncio.sleep(chance.uniform(0, 0.1))


async def _write(
    stranger: Stranger, written: list[tuple[str, str]], chance: random.Random, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        await stranger.answer(chance, *chance.choice(written))
        await asyncio.sleep(chance.uniform(0, 0.1))


async def _check(stage: Stage, guests: list[Guest], slugs: dict[str, str], kills: int) -> Report:
    """The end: nothing owed, nothing lost, nothing twice; what is here is what the streams say."""
    folder = stage.folder / "openmeet"
    frames = [frame for url in (stage.pds_url, stage.second_pds_url) for _, frame in await whole_stream(url)]
    await end_state.settled(folder)
    assert end_state.dead_letters(folder) == []
    # Once more: while things settled, answers were still being published.
    frames = [frame for url in (stage.pds_url, stage.second_pds_url) for _, frame in await whole_stream(url)]
    changes = changes_in(frames)
    expected = canonical_view(changes)

    async def agrees() -> bool:
        return await end_state.view_here(folder) == expected

    # Echoes of the last writes may still be on their way.
    await eventually(agrees)
    assert answered_twice(changes) == []
    revisions = end_state.revisions(folder)
    for guest in guests:
        did = guest.account.did
        said = {(did, uri): TOKENS[guest.said[slug]] for uri, slug in slugs.items() if slug in guest.said}
        published = {key: word for key, word in expected.answers.items() if key[0] == did}
        assert published == said, "what was answered here and what was published differ"
        # An answer that came back as an echo, or twice, changed nothing.
        assert {slug: revisions[did, slug] for slug in guest.said} == guest.changes
    return Report(
        kills,
        sum(sum(guest.changes.values()) for guest in guests),
        len(changes),
        round(max(guest.slowest_seconds for guest in guests), 2),
    )


async def _slug_of(stage: Stage, uri: str) -> str:
    async def look() -> str | None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            found = (await http.get(f"{stage.openmeet_url}/api/events", params={"uri": uri})).json()["events"]
        return str(found[0]["slug"]) if found else None

    return await eventually(look)
