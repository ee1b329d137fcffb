"""Take the screenshots of the README from the demo town on a fixed day: ``make screenshots``.

Town, day and faces are the same each time, so that a second run writes the same pictures if nothing has changed.
"""

import io
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

from PIL import Image
from playwright.async_api import Browser, Page

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock, Instant, to_datetime
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import UserId
from programs.demo.fill import fill
from programs.demo.pictures import TownPictures
from programs.running import run_command
from tests.browser.browsers import DESK, PHONE, Deployment, chromium, context, deployment
from tests.worker_pool import POOL

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
MAX_BYTES: Final = 150_000
# Thursday 5 March 2026, 09:00 in Berlin.
_DAY: Final = Instant(1_772_697_600_000_000)
# The person who has written most in event chats, because they have a lot to show.
_PERSON: Final = """
    select m.user_id as id from chat_messages m join chat_rooms r on r.id = m.room_id
     where r.event_id is not null and m.user_id is not null group by m.user_id order by count(*) desc, m.user_id limit 1
"""
# The single event in English, like the README, at a venue that most people attend within the week.
_EVENT: Final = """
    select e.slug from events e join attendances a on a.event_id = e.id and a.status = 'attending'
     where e.visibility = 'public' and e.status = 'scheduled' and e.series_id is null and e.mode = 'in_person'
       and e.starts_at between :now and :now + 7 * 86400 * 1000000 and e.extra like '%"languages":["en"]%'
     group by e.id order by count(*) desc, e.id limit 1
"""
# Sharp on a high-resolution screen, and still small enough for a repository.
_QUALITY: Final = 82


@dataclass(frozen=True)
class Picture:
    """A screenshot. ``path``: contains ``{event}`` for the slug of an event. ``link``: a link to follow from there, if
    any. ``scale``: screen pixels per page pixel.
    """

    name: str
    path: str
    link: str = ""
    is_phone: bool = False
    is_signed_in: bool = False
    is_dark: bool = False

    @property
    def scale(self) -> float:
        return 2 if self.is_phone else 1.5


PICTURES: Final = (
    Picture("discover", "/", is_phone=True),
    Picture("event", "/events/{event}"),
    Picture("chat", "/chat", 'main a.room-row[href^="/events/"]', is_phone=True, is_signed_in=True, is_dark=True),
    Picture("week", "/my/calendar?view=week&on=2026-03-09", is_signed_in=True),
)


async def take(folder: Path) -> None:
    """Write the pictures as WebP. Raises ValueError if one is too large."""
    async with _town() as town, chromium() as browser:
        for picture in PICTURES:
            file = folder / f"{picture.name}.webp"
            file.write_bytes(await _shot(browser, town, picture))
            print(f"Wrote {file.name}, {file.stat().st_size // 1000} kB.", flush=True)


@asynccontextmanager
async def _town() -> AsyncIterator[Deployment]:
    """The demo town with the same identifiers each time, because the colours of faces depend on them."""
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder, clock = Path(name), HandClock(_DAY)
        url = f"sqlite://{folder}/town.db"
        await migrate(url, "", "openmeet")
        db = await open_database(url, clock=clock, transaction_seconds=60.0, reader_seconds=60.0)
        try:
            with patch("groundwork.uuid7.os", SimpleNamespace(urandom=dice.randbytes)):
                await fill(db, pictures=TownPictures(open_folder(folder / "pictures"), POOL))
            async with deployment(db, clock, folder / "mail") as opened:
                yield opened
        finally:
            await db.close()
            await POOL.close()


async def _shot(browser: Browser, town: Deployment, picture: Picture) -> bytes:
    size = PHONE if picture.is_phone else DESK
    look = {"color_scheme": "dark" if picture.is_dark else "light", "device_scale_factor": picture.scale}
    async with context(browser, town, viewport=size, reduced_motion="reduce", **look) as opened:
        await opened.clock.set_fixed_time(to_datetime(_DAY))
        if picture.is_signed_in:
            token = await _session(town)
            await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": town.url}])
        page = await opened.new_page()
        await _open(page, picture.path.format(event=await _event(town)))
        if picture.link:
            await _open(page, str(await page.locator(picture.link).first.get_attribute("href")))
        shot = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    written = io.BytesIO()
    shot.save(written, "WEBP", quality=_QUALITY, method=6)
    if len(written.getvalue()) > MAX_BYTES:
        raise ValueError(f"{picture.name} has {len(written.getvalue())} bytes")
    return written.getvalue()


async def _open(page: Page, path: str) -> None:
    await page.goto(path, wait_until="load")
    await page.evaluate("document.fonts.ready")
    # Pictures further down are loaded when the page is scrolled to them.
    await page.evaluate(
        """Promise.all([...document.images]
            .filter((one) => one.checkVisibility() && !one.complete)
            .filter((one) => (({ top, bottom }) => bottom > 0 && top < innerHeight)(one.getBoundingClientRect()))
            .map((one) => new Promise((done) => { one.onload = one.onerror = done; })))"""
    )


async def _event(town: Deployment) -> str:
    async with town.db.reader() as reader:
        row = await reader.fetch_one(_EVENT, now=_DAY)
        assert row is not None
        return str(row["slug"])


async def _session(town: Deployment) -> str:
    async with town.db.transaction() as tx:
        row = await tx.fetch_one(_PERSON)
        assert row is not None
        return (await open_session(tx, UserId(row["id"]), SessionTransport.BROWSER)).token


if __name__ == "__main__":
    print("Filling the demo town (about ten seconds) …", flush=True)
    run_command(lambda: take(FOLDER))
