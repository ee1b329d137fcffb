"""A Chromium per file, in which nobody has been before a test, and a town per test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.pages.browsers import Town, browser, chromium_of_file, town

__all__ = ["browser", "chromium_of_file"]


@pytest.fixture
async def openmeet(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(await make_sqlite("openmeet"), clock, tmp_path / "mail") as opened:
        yield opened
    # Chromium's connections close a moment after the server has let go of them.
    await asyncio.sleep(0)
