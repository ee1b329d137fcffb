"""The pictures of the demo town: drawn in worker processes while its rows are written, and stored as uploads are."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from groundwork.blobstore.contract import BlobStore, put
from groundwork.database.transaction import Database
from groundwork.workers.pool import WorkerPool
from openmeet.domain.media import pictures, portraits
from openmeet.domain.media.pictures import Picture, PictureKey, Prepared, blob_key, portrait_key
from openmeet.domain.profiles import portraits as shown_portraits
from openmeet.domain.users.model import UserId
from programs.demo.portraits import Look, portrait
from programs.demo.scenes import SCENES, scene

# Drawings of each scene: two events with the same one look alike, but not the same.
VARIANTS: Final = 3
_AT_ONCE: Final = 4

_Made = TypeVar("_Made")


def _painted(kind: str, variant: int) -> Prepared:
    return pictures.prepare(scene(kind, str(variant)))


def _portrayed(look: Look, name: str) -> dict[int, bytes]:
    return portraits.prepare(portrait(look, name))


@dataclass(slots=True)
class TownPictures:
    """Where they are stored, and who draws. Each is drawn once, from the moment it is asked for."""

    store: BlobStore
    workers: WorkerPool
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _scenes: dict[tuple[str, int], asyncio.Task[Prepared]] = field(default_factory=dict)

    def begin(self) -> None:
        """Have every scene drawn."""
        for variant in range(VARIANTS):
            for kind in SCENES:
                drawing = self._drawn(partial(_painted, kind, variant))
                self._scenes[kind, variant] = asyncio.create_task(drawing)

    async def portray(self, db: Database, dice: random.Random, user_id: UserId, look: Look, name: str) -> None:
        """Draw a person’s portrait and show it."""
        made = await self._drawn(partial(_portrayed, look, name))
        key, side = _key(dice), max(made)
        for length, body in made.items():
            await put(self.store, portrait_key(key, length), body)
        async with db.transaction() as tx:
            await pictures.insert(tx, key, user_id, side, side, sum(map(len, made.values())))
            await shown_portraits.put(tx, user_id, key)

    async def upload(self, db: Database, dice: random.Random, user_id: UserId, kind: str) -> Picture:
        """A picture of a scene, which this person uploads."""
        made = await self._scenes[kind, dice.randrange(VARIANTS)]
        key = _key(dice)
        for (size, format_), body in made.bodies.items():
            await put(self.store, blob_key(key, size, format_), body)
        async with db.transaction() as tx:
            total = sum(map(len, made.bodies.values()))
            await pictures.insert(tx, key, user_id, made.width, made.height, total)
        return Picture(key, SCENES[kind].alt, made.width, made.height)

    async def _drawn(self, draw: Callable[[], _Made]) -> _Made:
        async with self._turns:
            return await self.workers.run(draw)


def _key(dice: random.Random) -> PictureKey:
    """The same town has the same addresses: its pictures are no secret."""
    return PictureKey(f"{dice.getrandbits(128):032x}")
