"""Pictures of the demo town. Worker processes draw them while the rows are written, and they are stored like uploads."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from groundwork.blobstore.contract import BlobStore, put
from groundwork.database.transaction import Database
from groundwork.workers.pool import WorkerPool
from openmeet.domain.media import pictures
from openmeet.domain.media.pictures import Picture, PictureKey, PreparedPicture, blob_key, portrait_key
from openmeet.domain.profiles import portraits as shown_portraits
from openmeet.domain.users.model import UserId
from programs.demo.portraits import Look, portrait
from programs.demo.scenes import SCENES, scene

# Drawings per scene, so that two events with the same scene look similar but not identical.
VARIANTS: Final = 3
_AT_ONCE: Final = 4

_Made = TypeVar("_Made")


def _painted(kind: str, variant: int) -> PreparedPicture:
    return pictures.prepare(scene(kind, str(variant)))


def _portrayed(look: Look, name: str) -> dict[int, bytes]:
    return pictures.prepare_portrait(portrait(look, name))


@dataclass(slots=True)
class TownPictures:
    """Draws and stores the pictures of the town. Each is drawn once, starting when it is first requested."""

    store: BlobStore
    workers: WorkerPool
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _scenes: dict[tuple[str, int], asyncio.Task[PreparedPicture]] = field(default_factory=dict)

    def begin(self) -> None:
        """Start drawing all scenes."""
        for variant in range(VARIANTS):
            for kind in SCENES:
                drawing = self._drawn(partial(_painted, kind, variant))
                self._scenes[kind, variant] = asyncio.create_task(drawing)

    async def portray(self, db: Database, dice: random.Random, user_id: UserId, look: Look, name: str) -> None:
        """Draw a portrait and make it the person’s profile picture."""
        made = await self._drawn(partial(_portrayed, look, name))
        key, side = _picture_key(dice), max(made)
        for length, body in made.items():
            await put(self.store, portrait_key(key, length), body)
        async with db.transaction() as tx:
            await pictures.insert(tx, key, user_id, side, side, sum(map(len, made.values())))
            await shown_portraits.put(tx, user_id, key)

    async def upload(self, db: Database, dice: random.Random, user_id: UserId, kind: str) -> Picture:
        """Store a picture of a scene as this person's upload."""
        made = await self._scenes[kind, dice.randrange(VARIANTS)]
        key = _picture_key(dice)
        for (size, format_), body in made.bodies.items():
            await put(self.store, blob_key(key, size, format_), body)
        async with db.transaction() as tx:
            total = sum(map(len, made.bodies.values()))
            await pictures.insert(tx, key, user_id, made.width, made.height, total)
        return Picture(key, SCENES[kind].alt, made.width, made.height)

    async def _drawn(self, draw: Callable[[], _Made]) -> _Made:
        async with self._turns:
            return await self.workers.run(draw)


def _picture_key(dice: random.Random) -> PictureKey:
    """The storage key, which is the same for the same town. The pictures are not secret."""
    return PictureKey(f"{dice.getrandbits(128):032x}")
