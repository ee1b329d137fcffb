"""A Chromium per file, without stored data before each test, and a deployment per test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from tests.browser.browsers import Deployment, browser, chromium_of_file, deployment
from tests.databases import MakeDatabase

__all__ = ["browser", "chromium_of_file"]


@pytest.fixture
async def openmeet(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployment(await make_sqlite("openmeet"), clock, tmp_path / "mail") as opened:
        yield opened
    # Chromium closes its connections a moment after the server has.
    await asyncio.sleep(0)
