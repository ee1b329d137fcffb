"""A Chromium and a town per test: starting one takes a second, and sharing it would tie all tests to one event loop."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.pages.browsers import Town, chromium, town


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def openmeet(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(await make_sqlite("openmeet"), clock, tmp_path / "mail") as opened:
        yield opened
    # Chromium's connections close a moment after the server has let go of them.
    await asyncio.sleep(0)
