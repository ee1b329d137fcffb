"""The album that most tests use."""

from collections.abc import AsyncIterator

import pytest

from tests.openmeet.photos.album import Album, album_in


@pytest.fixture
async def album(make_database, clock, tmp_path) -> AsyncIterator[Album]:
    async with album_in(await make_database("openmeet", clock=clock), clock, tmp_path) as made:
        yield made
