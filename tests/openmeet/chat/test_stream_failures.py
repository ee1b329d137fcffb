"""The live stream when reading fails: a busy database ends no page, and after a bug pages connect again."""

import asyncio
from typing import NoReturn

import pytest

from groundwork.database.transaction import ReadTooLong
from openmeet.domain.chat import room_queries
from openmeet.web.site import chat_stream_feed
from tests.openmeet.chat.open_pages import ChatScene, scene  # noqa: F401  # a fixture


async def test_a_busy_database_ends_no_page(scene: ChatScene, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # the fixture
    """A busy database does not end open pages, because a thousand reloads would increase its load further."""
    ana, ben, _ = scene.people
    page = scene.open(ben, 1)
    await page.until_number(1)
    asked = asyncio.Event()

    async def busy(*_: object) -> NoReturn:
        asked.set()
        raise ReadTooLong("the read took too long")

    with monkeypatch.context() as patched:
        patched.setattr(room_queries, "by_id", busy)
        await scene.say(ana, "One")
        await asked.wait()
    await page.until(lambda: bool(page.entries))
    assert [entry[2] for entry in page.entries] == ["One"]
    assert not any(b"event: again" in frame for frame in page.sent)


async def test_an_unexpected_error_makes_pages_connect_again(scene: ChatScene, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # the fixture
    page = scene.open(scene.people[1], 1)
    await page.until_number(1)

    async def broken(*_: object) -> NoReturn:
        raise RuntimeError("a bug")

    monkeypatch.setattr(chat_stream_feed, "hidden_from", broken)
    await page.ended()
    assert any(frame.startswith(b"retry: ") for frame in page.sent)
