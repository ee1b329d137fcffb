"""Pictures of the demo town. Worker processes draw them while the rows are written, and they are stored like uploads."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple, TypeVar

from groundwork.blobstore.contract import BlobStore, put
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.workers.pool import WorkerPool
from openmeet.domain.events.model import EventId
from openmeet.domain.media import pictures, uploads
from openmeet.domain.media.pictures import Picture, PictureKey, PreparedPicture, blob_key, portrait_key
from openmeet.domain.photos import queries as event_photos
from openmeet.domain.photos.actions import blob_key as photo_key
from openmeet.domain.photos.model import PhotoKey
from openmeet.domain.profiles import portraits as shown_portraits
from openmeet.domain.users.model import UserId
from programs.demo.earlier import act_at
from programs.demo.portraits import Look, portrait
from programs.demo.scenes import SCENES, SIZE, VARIANTS, WHOLE, Crop, scene

_AT_ONCE: Final = 4

_Made = TypeVar("_Made")


def _painted(kind: str, variant: int, crop: Crop) -> PreparedPicture:
    return pictures.prepare(scene(kind, str(variant), crop))


def _portrayed(look: Look, name: str) -> dict[int, bytes]:
    return pictures.prepare_portrait(portrait(look, name))


class TownPhoto(NamedTuple):
    """A photo of an event: the drawing of a scene, or a part of it."""

    scene: str
    variant: int
    crop: Crop
    caption: str


@dataclass(slots=True)
class TownPictures:
    """Draws and stores the pictures of the town, each scene once. Nobody waits for them before the end of ``storing``."""

    store: BlobStore
    workers: WorkerPool
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _scenes: dict[tuple[str, int, Crop], asyncio.Task[PreparedPicture]] = field(default_factory=dict)
    _stored: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def storing(self) -> AsyncIterator[None]:
        """At the end of the block, wait until all its pictures are stored. If it fails, they are given up."""
        try:
            yield
            await asyncio.gather(*self._stored)
        finally:
            tasks = (*self._scenes.values(), *self._stored)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def portray(self, db: Database, dice: random.Random, user_id: UserId, look: Look, name: str) -> None:
        """Draw a portrait and make it the person’s profile picture."""
        self._stored.append(asyncio.create_task(self._store_portrait(db, _picture_key(dice), user_id, look, name)))

    def upload(self, db: Database, dice: random.Random, user_id: UserId, kind: str) -> Picture:
        """Draw a picture of a scene and store it as this person’s upload."""
        variant, key = dice.randrange(VARIANTS), _picture_key(dice)
        self._stored.append(
            asyncio.create_task(self._store_scene(db, key, user_id, self._drawing(kind, variant, WHOLE)))
        )
        # The tone is known before the picture is drawn.
        return Picture(key, SCENES[kind].alt, *SIZE, SCENES[kind].tones[variant])

    def photograph(
        self,
        db: Database,
        at: Instant,
        dice: random.Random,
        user_id: UserId,
        event_id: EventId,
        photo: TownPhoto,
    ) -> None:
        """Draw a photo and store it as if this person had added it to the event at that time."""
        key, drawing = PhotoKey(_picture_key(dice)), self._drawing(photo.scene, photo.variant, photo.crop)

        async def store() -> None:
            made = await drawing

            async def write(tx: Transaction) -> None:
                await event_photos.insert_waiting(tx, key, user_id, made, until=tx.now)
                await event_photos.add_to_event(tx, key, event_id, photo.caption, digest=key)

            for (size, format_), body in made.bodies.items():
                await put(self.store, photo_key(key, size, format_), body)
            await act_at(db, at, write)

        self._stored.append(asyncio.create_task(store()))

    def _drawing(self, kind: str, variant: int, crop: Crop) -> asyncio.Task[PreparedPicture]:
        about = kind, variant, crop
        if about not in self._scenes:
            self._scenes[about] = asyncio.create_task(self._drawn(partial(_painted, *about)))
        return self._scenes[about]

    async def _store_portrait(self, db: Database, key: PictureKey, user_id: UserId, look: Look, name: str) -> None:
        made = await self._drawn(partial(_portrayed, look, name))
        side = max(made)

        async def write(tx: Transaction) -> None:
            await uploads.insert(tx, key, user_id, side, side, sum(map(len, made.values())))
            await shown_portraits.put(tx, user_id, key)

        for length, body in made.items():
            await put(self.store, portrait_key(key, length), body)
        await db.batch(write)

    async def _store_scene(
        self, db: Database, key: PictureKey, user_id: UserId, drawing: asyncio.Task[PreparedPicture]
    ) -> None:
        made = await drawing

        async def write(tx: Transaction) -> None:
            await uploads.insert(
                tx, key, user_id, made.width, made.height, sum(map(len, made.bodies.values())), made.tone
            )

        for (size, format_), body in made.bodies.items():
            await put(self.store, blob_key(key, size, format_), body)
        await db.batch(write)

    async def _drawn(self, draw: Callable[[], _Made]) -> _Made:
        async with self._turns:
            return await self.workers.run(draw)


def _picture_key(dice: random.Random) -> PictureKey:
    """The storage key, which is the same for the same town. The pictures are not secret."""
    return PictureKey(f"{dice.getrandbits(128):032x}")
