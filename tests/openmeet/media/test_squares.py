"""Squares of pictures: stored with every upload, and added to older pictures once, when they are first requested."""

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from groundwork.blobstore.contract import BlobStore, put
from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock
from groundwork.errors import NotFound
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import MAX_SQUARE_BYTES, SIDES, PictureFormat, PictureKey, Size, blob_key, prepare
from openmeet.domain.media.uploads import add_squares
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, person, site_on
from tests.worker_pool import WORKERS

SQUARE_FILES = [(size, format_) for size in MAX_SQUARE_BYTES for format_ in PictureFormat]
WEBP = {"accept": "image/webp"}


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def stripes() -> bytes:
    """Red, wide green, and red again: a centred square shows only green."""
    image = Image.new("RGB", (900, 400), "red")
    image.paste("green", (200, 0, 700, 400))
    return encoded(image)


def noise(width: int, height: int) -> bytes:
    """More detail than any photo has."""
    dots = Image.frombytes("RGB", (640, 480), random.Random(1).randbytes(640 * 480 * 3))
    return encoded(dots.resize((width, height)))


async def has_squares(store: BlobStore, key: str) -> bool:
    found = 0
    for file in SQUARE_FILES:
        try:
            found += await store.size(blob_key(key, *file)) > 0
        except NotFound:
            continue
    assert found in {0, len(SQUARE_FILES)}
    return found > 0


async def older(site: Site, store: BlobStore) -> PictureKey:
    """A picture that was uploaded before squares were stored."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    key, _ = await uploads.store_picture(site.db, store, WORKERS, ana.user_id, stripes())
    for file in SQUARE_FILES:
        assert await store.delete(blob_key(key, *file))
    return key


def test_a_square_shows_the_middle_and_is_not_enlarged() -> None:
    made, tiny = prepare(stripes()), prepare(encoded(Image.new("RGB", (90, 40), "blue")))
    assert (made.width, made.height, tiny.width, tiny.height) == (900, 400, 90, 40)
    for size, format_ in SQUARE_FILES:
        square = Image.open(io.BytesIO(made.bodies[size, format_])).convert("RGB")
        assert square.size == (SIDES[size], SIDES[size])
        red, green, _ = square.getpixel((2, 2))
        assert green > 100 > red
        assert Image.open(io.BytesIO(tiny.bodies[size, format_])).size == (40, 40)


def test_a_square_of_any_picture_is_small() -> None:
    """The squares of a picture with much detail are compressed more; the other sizes are not."""
    for sides in ((640, 480), (200, 150)):
        bodies = prepare(noise(*sides)).bodies
        sizes = {size: len(bodies[size, PictureFormat.WEBP]) for size in Size}
        assert all(sizes[size] <= most for size, most in MAX_SQUARE_BYTES.items()), sizes
        assert sizes[Size.THUMBNAIL] > sizes[Size.SQUARE]


@pytest.mark.parametrize("size", list(MAX_SQUARE_BYTES))
async def test_the_first_request_adds_the_squares_of_an_older_picture(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, size: Size
) -> None:
    store = open_folder(tmp_path)
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    key = await older(site, store)
    async with site.browser() as eve:
        assert (await eve.get(f"/media/{key}/thumbnail", headers=WEBP)).status_code == 200
        assert not await has_squares(store, key)
        shown = await eve.get(f"/media/{key}/{size.value}", headers=WEBP)
        assert Image.open(io.BytesIO(shown.content)).size == (SIDES[size], SIDES[size])
        assert await has_squares(store, key)
        assert "immutable" in shown.headers["cache-control"]
        # The stored file is served from then on.
        await put(store, blob_key(key, size, PictureFormat.WEBP), b"stored")
        assert (await eve.get(f"/media/{key}/{size.value}", headers=WEBP)).content == b"stored"
        assert (await eve.get(f"/media/{'0' * 32}/{size.value}", headers=WEBP)).status_code == 404


async def test_without_worker_processes_a_larger_size_is_served(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    """The process that serves pages decodes no pictures."""
    store = open_folder(tmp_path)
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store, workers=None)
    key = await older(site, store)
    async with site.browser() as eve:
        shown = await eve.get(f"/media/{key}/small-square", headers=WEBP)
        assert Image.open(io.BytesIO(shown.content)).width == SIDES[Size.THUMBNAIL]
        # Caches ask again, because the square may be stored later.
        assert shown.headers["cache-control"] == "public, max-age=3600"
        assert "small-square" not in shown.headers["etag"]
    assert not await has_squares(store, key)


async def test_no_squares_remain_of_a_picture_that_is_deleted_meanwhile(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    store = open_folder(tmp_path)
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    key = await older(site, store)
    await store.delete(blob_key(key, Size.LARGE))
    with pytest.raises(NotFound):
        await add_squares(store, WORKERS, key)
    assert not await has_squares(store, key)
