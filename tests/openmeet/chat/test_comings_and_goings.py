"""People without access cannot find messages by any route, and no stream loses or repeats one. A short run; ``make
soak`` has long ones.
"""

import pytest

from tests.openmeet.chat.comings_and_goings import SHORT, play


@pytest.mark.parametrize("seed", range(2))
async def test_who_is_out_finds_nothing_and_who_is_in_misses_nothing(make_database, clock, seed):
    await play(await make_database("openmeet", clock=clock), clock, seed, SHORT)
