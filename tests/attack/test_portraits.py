"""Attacks on portraits: pictures with false headers, bombs, and the addresses of other people's pictures."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock
from groundwork.errors import InvalidForm, TooLarge, TooMany
from openmeet.domain.data_export import person as person_export
from openmeet.domain.media import pictures as media_pictures
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.domain.profiles import portraits
from tests.databases import SqliteFiles
from tests.openmeet.media.drawn_pictures import (
    claim_huge_size,
    draw_bands,
    draw_picture,
    open_picture,
    png_chunk,
    set_portrait,
)
from tests.openmeet.site_under_test import person, sign_up, site_on
from tests.worker_pool import WORKERS


def _many_frames() -> bytes:
    """An animation of two thousand frames, one of which is shown."""
    out = io.BytesIO()
    frames = [Image.new("P", (40, 40), number % 250) for number in range(2_000)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def _zip_bomb() -> bytes:
    """A PNG with 60 MB of zero pixels behind a header that says 10 × 10."""
    header = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(60_000_000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg>&a;</svg>",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        draw_picture("JPEG")[:200],
        draw_picture("TIFF"),
        claim_huge_size(60_000, 60_000),
        claim_huge_size(30_000, 2),
        b"RIFF\xff\xff\xff\xffWEBPVP8 " + b"\xff" * 100,
    ],
)
def test_mislabelled_files_and_decompression_bombs_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidForm):
        media_pictures.prepare_portrait(body)


@pytest.mark.parametrize("body", [_many_frames(), _zip_bomb(), draw_picture("GIF") + b"<script>alert(1)</script>"])
def test_stored_pictures_are_small_and_clean(body: bytes) -> None:
    made = media_pictures.prepare_portrait(body)
    assert {open_picture(one).format for one in made.values()} == {"WEBP"}
    assert not any(b"<script>" in one for one in made.values())
    assert sum(map(len, made.values())) < 20_000


def test_location_and_camera_are_removed() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[1] = "N"
    for one in media_pictures.prepare_portrait(draw_picture("JPEG", exif=exif, comment=b"Secret words")).values():
        assert b"Secret" not in one
        assert not open_picture(one).getexif()


async def test_uploads_are_bounded(make_sqlite: SqliteFiles, tmp_path: Path) -> None:
    """Uploads are limited, counting pictures of events and portraits together."""
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(uploads.MAX_A_DAY):
            await uploads.insert(tx, media_pictures.PictureKey(f"{number:032x}"), ana.user_id, 1, 1, 1)
    store = open_folder(tmp_path)
    with pytest.raises(TooLarge):
        await uploads.store_portrait(db, store, WORKERS, ana.user_id, b"x" * (MAX_UPLOAD_BYTES + 1))
    with pytest.raises(TooMany):
        await uploads.store_portrait(db, store, WORKERS, ana.user_id, draw_bands())


async def test_import_cannot_claim_another_persons_picture(make_sqlite: SqliteFiles, tmp_path: Path) -> None:
    """An export that was changed to name another person's picture cannot be imported to take it."""
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana, eve = await person(tx, "Ana"), await person(tx, "Eve")
        await tx.execute("update users set email = id || '@example.org'")
    theirs = await set_portrait(db, open_folder(tmp_path), ana)
    document = await person_export.export_document(db, eve.user_id, "https://meet.example")
    document["tables"]["users"][0]["portraitKey"] = theirs
    await person_export.import_document(db, document)
    async with db.reader() as reader:
        assert await portraits.shown(reader, None, [ana.user_id, eve.user_id]) == {ana.user_id: theirs}


async def test_another_site_cannot_change_a_picture(make_sqlite: SqliteFiles, tmp_path: Path, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, pictures=open_folder(tmp_path))
    async with site.browser() as ana, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        for path in ("/settings/picture", "/settings/picture/remove", "/settings/picture/from-profile"):
            file = {"picture": ("a.png", draw_bands(), "image/png")}
            foreign = await ana.post(path, files=file, headers={"origin": "https://evil.example"})
            assert foreign.status_code == 403
            unknown = await nobody.post(path, files=file)
            assert unknown.status_code == 401
        async with site.db.reader() as reader:
            assert await reader.fetch("select 1 from pictures") == []
