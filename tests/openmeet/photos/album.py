"""An event on one evening with hosts and guests, each with a browser, and what they do with its photos."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.media.pictures import FILES
from openmeet.domain.photos import actions
from openmeet.domain.photos.model import PhotoKey
from openmeet.domain.users.model import Caller
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on
from tests.worker_pool import WORKERS


def photo(shade: int = 0, kind: str = "PNG", **more: object) -> bytes:
    """A small picture. Different shades make different files."""
    out = io.BytesIO()
    Image.new("RGB", (80, 60), (200, shade % 256, shade // 256)).save(out, kind, **more)
    return out.getvalue()


def photo_fields(*bodies: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    """The files of the form."""
    return [("photos", (f"{number}.jpg", body, "image/jpeg")) for number, body in enumerate(bodies, 1)]


@dataclass
class Album:
    """Ana hosts, Ben and Cleo were going, Dan was not. The event began an hour ago."""

    site: Site
    store: BlobStore
    clock: HandClock
    event: Event
    people: Mapping[str, Caller]
    browsers: Mapping[str, httpx.AsyncClient]

    @property
    def db(self) -> Database:
        return self.site.db

    @property
    def path(self) -> str:
        return f"/events/{self.event.slug}/photos"

    async def add(self, name: str, shade: int = 0, caption: str = "") -> PhotoKey:
        """Add a photo and return its key."""
        user_id = self.people[name].user_id
        added = await actions.add(self.db, self.store, WORKERS, user_id, self.event.slug, photo(shade), caption)
        return added.key

    async def sees(self, key: PhotoKey) -> dict[str, bool]:
        """Who gets the file of the photo. Everybody who gets it also gets its page, and nobody else does."""
        found = {}
        for name, browser in self.browsers.items():
            file, page = await browser.get(f"/photos/{key}/large"), await browser.get(f"{self.path}/{key}")
            assert (file.status_code, page.status_code) in {(200, 200), (404, 404), (404, 303)}, name
            found[name] = file.status_code == 200
        return found

    async def those_who_see(self, key: PhotoKey) -> set[str]:
        return {name for name, is_seen in (await self.sees(key)).items() if is_seen}

    async def number_of_files(self, key: PhotoKey) -> int:
        number = 0
        for size, format_ in FILES:
            try:
                number += await self.store.size(actions.blob_key(key, size, format_)) > 0
            except NotFound:
                continue
        return number

    async def keys(self) -> list[str]:
        async with self.db.reader() as reader:
            rows = await reader.fetch(
                "select key from event_photos where event_id is not null order by created_at, key"
            )
        return [row["key"] for row in rows]

    async def change(self, statement: str, **values: object) -> None:
        async with self.db.transaction() as tx:
            await tx.execute(statement, **values)


@asynccontextmanager
async def album_in(db: Database, clock: HandClock, folder: Path, **typed: str) -> AsyncIterator[Album]:
    """The album of an event. ``typed`` are fields of the event."""
    store = open_folder(folder / "media")
    site = site_on(db, clock, pictures=store)
    async with db.transaction() as tx:
        people = {name: await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dan")}
        event = await event_by(tx, people["Ana"], **{"starts": "2026-03-05T18:00", "ends": "2026-03-05T20:00", **typed})
        if event.content.visibility.value == "public":
            for name in ("Ben", "Cleo"):
                await attendance.answer(tx, people[name], event.slug, RsvpReply.GOING)
    assert event.starts_at is not None
    clock.turn(Instant(event.starts_at + 3_600_000_000 - clock.now()))
    async with AsyncExitStack() as stack:
        browsers = {name: await stack.enter_async_context(signed_in(site, who.user_id)) for name, who in people.items()}
        yield Album(site, store, clock, event, people, browsers)
