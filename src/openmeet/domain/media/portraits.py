"""Portraits: profile pictures, cropped to a centred square and re-encoded in three small sizes."""

import io
import secrets
from functools import partial
from typing import Final

from PIL import Image

from groundwork.blobstore.contract import BlobStore, put
from groundwork.database.transaction import Database
from groundwork.workers.pool import ChargedPool
from openmeet.domain.media.pictures import (
    PORTRAIT_SIDES,
    PictureKey,
    decode,
    insert,
    portrait_key,
    require_acceptable,
)

CONTENT_TYPE: Final = "image/webp"
# A list shows dozens of the smallest size, which takes about 1 kB each.
_QUALITY: Final = 76


def prepare(body: bytes) -> dict[int, bytes]:
    """Crop the picture to the centred square and encode it by side length, upright and without metadata.

    Raises InvalidForm (``picture``). A small picture is enlarged, because every place that shows a portrait reserves
    the full space.
    """
    image = decode(body, 2 * max(PORTRAIT_SIDES))
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    square = image.crop((left, top, left + side, top + side))
    # The library would otherwise copy metadata (comments, profiles) from its input.
    square.info.clear()
    return {length: _encoded(square, length) for length in PORTRAIT_SIDES}


def _encoded(square: Image.Image, side: int) -> bytes:
    output = io.BytesIO()
    square.resize((side, side), Image.Resampling.LANCZOS).save(output, "WEBP", quality=_QUALITY, method=6)
    return output.getvalue()


async def store_portrait(db: Database, store: BlobStore, workers: ChargedPool, user_id: str, body: bytes) -> PictureKey:
    """Re-encode the portrait in a worker process and store it. Nobody sees it until ``put`` is called.

    Raises InvalidForm (``picture``), TooLarge, TooMany, Unavailable.
    """
    await require_acceptable(db, user_id, body)
    made = await workers.run(partial(prepare, body))
    # The bytes are stored before the row, so a crash in between never leaves a row without bytes.
    key = PictureKey(secrets.token_hex(16))
    for side, square in made.items():
        await put(store, portrait_key(key, side), square)
    side = max(made)
    async with db.transaction() as tx:
        await insert(tx, key, user_id, side, side, sum(map(len, made.values())))
    return key
