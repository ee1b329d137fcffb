"""Kill consumer, processor and publisher at random while answers travel in both directions (invariants 1, 4, 10)."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.announced import answered_twice, changes_in
from tests.simulation.oracle import canonical_view
from tests.system import end_state
from tests.system.crowd import Crowd, gathered
from tests.system.stream import whole_stream
from tests.system.tour.polling import eventually
from tests.system.tour.stage import Stage, open_stage

KILLED = ("firehose-consumer", "event-processor", "publisher")
EVENTS, GUESTS, STRANGERS = 3, 3, 2


@dataclass(frozen=True)
class Report:
    """The counts of one storm."""

    kills: int
    answers_here: int
    records: int
    slowest_seconds: float


async def storm(folder: Path, *, kills: int, seed: int) -> Report:
    """Run the storm. Raises AssertionError with the seed if the final state is not the one that the streams require."""
    try:
        async with open_stage(folder) as stage:
            return await _storm(stage, kills, random.Random(seed))
    except AssertionError as wrong:
        raise AssertionError(f"seed {seed}, {kills} kills: {wrong}") from wrong


async def _storm(stage: Stage, kills: int, chance: random.Random) -> Report:
    second = stage.second_pds_url
    async with gathered(
        stage.openmeet_url,
        host=(second, "hana.second.test"),
        guests=[(stage.pds_url, f"guest{number}.test") for number in range(GUESTS)],
        strangers=[(second, f"stranger{number}.second.test") for number in range(STRANGERS)],
        events=EVENTS,
        pauses=(0, 0.1),
    ) as crowd:
        async with crowd.answering(chance):
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.3, 1.2))
                victim = stage.platform[chance.choice(KILLED)]
                await victim.kill()
                await victim.start()
            await asyncio.sleep(0.5)
        return await _check(stage, crowd, kills)


async def _check(stage: Stage, crowd: Crowd, kills: int) -> Report:
    """Check the final state: nothing is queued, lost or duplicated, and the content of OpenMeet is what the streams
    announced.
    """
    folder = stage.folder / "openmeet"
    await end_state.wait_until_done(folder)
    assert end_state.dead_letters(folder) == []
    frames = [frame for url in (stage.pds_url, stage.second_pds_url) for _, frame in await whole_stream(url)]
    changes = changes_in(frames)
    expected = canonical_view(changes)

    async def agrees() -> bool:
        return await end_state.view_here(folder) == expected

    # The last writes may still be coming back.
    await eventually(agrees)
    assert answered_twice(changes) == []
    crowd.check_last_words(expected)
    revisions = end_state.revisions(folder)
    for guest in crowd.guests:
        # An answer that came back, even twice, changed nothing.
        assert {slug: revisions[guest.account.did, slug] for slug in guest.said} == guest.changes
    slowest = max(guest.slowest_seconds for guest in crowd.guests)
    return Report(kills, crowd.answers_here, len(changes), round(slowest, 2))
