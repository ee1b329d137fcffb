"""Pictures of the demo town. Worker processes draw them while the rows are written, and they are stored like uploads."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Final, TypeVar

from PIL import Image

from groundwork.blobstore.contract import BlobStore, put
from groundwork.database.transaction import Database, Transaction
from groundwork.workers.pool import WorkerPool
from openmeet.domain.media import pictures
from openmeet.domain.media.pictures import Picture, PictureKey, PreparedPicture, blob_key, portrait_key
from openmeet.domain.profiles import portraits as shown_portraits
from openmeet.domain.users.model import UserId
from programs.demo.portraits import Look, portrait
from programs.demo.scenes import SCENES, SIZE, scene

# Drawings per scene, so that two events with the same scene look similar but not identical.
VARIANTS: Final = 3
_AT_ONCE: Final = 4
_SMALL: Final = (96, 64)

_Made = TypeVar("_Made")


def _painted(kind: str, variant: int) -> PreparedPicture:
    return pictures.prepare(scene(kind, str(variant)))


@cache
def _tone(kind: str, variant: int) -> int | None:
    """The tone of a scene, from a small drawing, because the picture itself is drawn later."""
    with Image.open(io.BytesIO(scene(kind, str(variant), _SMALL))) as drawn:
        return pictures.tone_of_picture(drawn.convert("RGB"))


def _portrayed(look: Look, name: str) -> dict[int, bytes]:
    return pictures.prepare_portrait(portrait(look, name))


@dataclass(slots=True)
class TownPictures:
    """Draws and stores the pictures of the town, each scene once. Nobody waits for them before the end of ``storing``."""

    store: BlobStore
    workers: WorkerPool
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _scenes: dict[tuple[str, int], asyncio.Task[PreparedPicture]] = field(default_factory=dict)
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
        about = kind, dice.randrange(VARIANTS)
        if about not in self._scenes:
            self._scenes[about] = asyncio.create_task(self._drawn(partial(_painted, *about)))
        key = _picture_key(dice)
        self._stored.append(asyncio.create_task(self._store_scene(db, key, user_id, self._scenes[about])))
        return Picture(key, SCENES[kind].alt, *SIZE, _tone(*about))

    async def _store_portrait(self, db: Database, key: PictureKey, user_id: UserId, look: Look, name: str) -> None:
        made = await self._drawn(partial(_portrayed, look, name))
        side = max(made)

        async def write(tx: Transaction) -> None:
            await pictures.insert(tx, key, user_id, side, side, sum(map(len, made.values())))
            await shown_portraits.put(tx, user_id, key)

        for length, body in made.items():
            await put(self.store, portrait_key(key, length), body)
        await db.batch(write)

    async def _store_scene(
        self, db: Database, key: PictureKey, user_id: UserId, drawing: asyncio.Task[PreparedPicture]
    ) -> None:
        made = await drawing

        async def write(tx: Transaction) -> None:
            await pictures.insert(
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
