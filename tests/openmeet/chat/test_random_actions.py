"""People without access find no messages by any route, and no stream loses or repeats one. The run is short; ``make
soak`` has long runs.
"""

import pytest

from tests.openmeet.chat.random_actions import SHORT, play


@pytest.mark.parametrize("seed", range(2))
async def test_outsiders_find_nothing_and_members_miss_nothing(make_database, clock, seed):
    await play(await make_database("openmeet", clock=clock), clock, seed, SHORT)
