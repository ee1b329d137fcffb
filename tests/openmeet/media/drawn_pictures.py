"""Pictures that tests draw and upload, and portraits made of them."""

import io
import re
import struct
import zlib

from PIL import Image

from groundwork.blobstore.contract import BlobStore
from groundwork.database.transaction import Database
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import PictureKey
from openmeet.domain.profiles import portraits
from openmeet.domain.users.model import Caller
from tests.worker_pool import WORKERS


def draw_picture(kind: str = "PNG", size: tuple[int, int] = (80, 60), mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else None).save(out, kind, **more)
    return out.getvalue()


def claim_huge_size(width: int, height: int) -> bytes:
    """A complete PNG of a few bytes that claims to have these dimensions. Its pixels are missing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG: length, type, data and checksum (PNG 3, section 5.3)."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def open_picture(body: bytes) -> Image.Image:
    made = Image.open(io.BytesIO(body))
    made.load()
    return made


def draw_bands() -> bytes:
    """A wide picture: red, a green square in the middle, and blue."""
    out = io.BytesIO()
    made = Image.new("RGB", (900, 300), "red")
    made.paste("green", (300, 0, 600, 300))
    made.paste("blue", (600, 0, 900, 300))
    made.save(out, "PNG")
    return out.getvalue()


async def set_portrait(db: Database, store: BlobStore, who: Caller) -> PictureKey:
    key = await uploads.store_portrait(db, store, WORKERS, who.user_id, draw_bands())
    async with db.transaction() as tx:
        await portraits.put(tx, who.user_id, key)
    return key


def portrait_keys_in(page: str) -> set[str]:
    return set(re.findall(r"/portraits/([0-9a-f]{32})/", page))
