"""The pictures of the demo town are drawn by our code, the same for the same seed, and stored like uploads."""

import asyncio
import contextlib
import io
import random
from pathlib import Path

from PIL import Image
from tests.databases import SqliteFiles
from tests.worker_pool import POOL

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock
from openmeet.domain.media.pictures import Size, blob_key, portrait_key, tone_of_picture
from openmeet.domain.photos.actions import blob_key as photo_key
from openmeet.domain.users.model import UserId
from programs.demo.fill import fill
from programs.demo.past import PAST
from programs.demo.pictures import TownPictures
from programs.demo.portraits import portrait
from programs.demo.scenes import SCENES, SIZE, VARIANTS, scene
from programs.demo.town import CLUBS, GATHERINGS, LOOKS, PEOPLE


def test_every_look_and_scene_can_be_drawn_and_shows_something() -> None:
    for name, look in LOOKS.items():
        if look is not None:
            assert _colours(portrait(look, name)) > 8, name
    for kind in SCENES:
        assert _colours(scene(kind, "0")) > 20, kind


def test_pictures_depend_only_on_the_seed() -> None:
    look = LOOKS[PEOPLE[0]]
    assert look is not None
    assert portrait(look, "Eva") == portrait(look, "Eva") != portrait(look, "Nora")
    assert scene("lake", "0") == scene("lake", "0") != scene("lake", "1")


def test_scenes_that_are_named_exist() -> None:
    named = {one for gathering in GATHERINGS for one in gathering.scenes} | {club.scene for club in CLUBS} - {""}
    assert named == set(SCENES)


async def test_the_town_shows_its_pictures(make_sqlite: SqliteFiles, clock: HandClock, tmp_path: Path) -> None:
    """Most people have a portrait, some events have a picture, and a club and its series share one. All files exist."""
    db, store = await make_sqlite("openmeet", clock=clock), open_folder(tmp_path)
    pictures = TownPictures(store, POOL)
    assert await fill(db, number_of_events=8, pictures=pictures)
    async with db.reader() as reader:
        portraits = await reader.fetch("select portrait_key as key from users where portrait_key is not null")
        shown = await reader.fetch("select distinct picture_key as key from events where picture_key is not null")
        groups = await reader.fetch("select picture_key as key from groups where picture_key is not null")
    assert len(portraits) == sum(look is not None for look in LOOKS.values())
    assert len(groups) == sum(bool(club.scene) for club in CLUBS)
    assert {row["key"] for row in groups} < {row["key"] for row in shown}
    for row in portraits:
        assert await store.size(portrait_key(row["key"], 48)) > 0
    for row in shown:
        assert await store.size(blob_key(row["key"], Size.SMALL)) > 0
    async with db.reader() as reader:
        photos = await reader.fetch("select key, width, height from event_photos where event_id is not null")
    shown = [photo.crop.size for past in PAST for photo in past.photos]
    assert sorted((row["width"], row["height"]) for row in photos) == sorted(shown)
    assert len(set(shown)) > 2
    for row in photos:
        assert await store.size(photo_key(row["key"], Size.SMALL)) > 0


def test_size_and_tone_of_a_scene_are_known_before_it_is_drawn() -> None:
    assert VARIANTS > 1
    for kind, one in SCENES.items():
        assert len(one.tones) == VARIANTS
        for variant, tone in enumerate(one.tones):
            with Image.open(io.BytesIO(scene(kind, str(variant)))) as drawn:
                assert (drawn.size, tone_of_picture(drawn.convert("RGB"))) == (SIZE, tone), (kind, variant)


async def test_no_picture_is_drawn_after_filling_failed(
    make_sqlite: SqliteFiles, clock: HandClock, tmp_path: Path
) -> None:
    db, pictures = await make_sqlite("openmeet", clock=clock), TownPictures(open_folder(tmp_path), POOL)
    with contextlib.suppress(_FillingFailed):
        async with pictures.storing():
            pictures.upload(db, random.Random(1), UserId("eva"), "lake")
            assert any(_is_drawing(task) for task in asyncio.all_tasks())
            raise _FillingFailed
    assert not any(_is_drawing(task) for task in asyncio.all_tasks())


class _FillingFailed(Exception):
    pass


def _is_drawing(task: asyncio.Task[object]) -> bool:
    return "TownPictures" in repr(task.get_coro())


def _colours(png: bytes) -> int:
    """The number of colours, with sixty-four levels per channel."""
    drawn = Image.open(io.BytesIO(png)).convert("RGB").resize((64, 64)).quantize(64)
    return len(drawn.getcolors() or [])
