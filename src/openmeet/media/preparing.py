"""From bytes that somebody sent to a picture that may be served. Blocking and heavy: run in a thread, few at a time."""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from groundwork.errors import InvalidForm
from openmeet.media.model import MAX_PIXELS, MAX_STORED_BYTES, SIDES, Prepared, Size

# What people send; everything else that the library could read stays unread.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")

_NO_PICTURE = "This is no picture that we can read. Send a JPEG, PNG, WebP or GIF."
_TOO_MANY_PIXELS = f"A picture has at most {MAX_PIXELS // 1_000_000} million pixels."

# From good to poor, until it is small enough.
_QUALITIES = (82, 72, 60, 45, 30)


def prepare(body: bytes) -> Prepared:
    """The first frame, upright, without whatever else the file carries. Raises InvalidForm of ``picture``."""
    try:
        with warnings.catch_warnings():
            # A size that the library only warns about is judged here, before a pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body), formats=_FORMATS) as sent:
                _check_size(sent)
                # JPEGs are decoded at a fraction of their size where that is enough.
                sent.draft("RGB", (SIDES[Size.LARGE] * 2, SIDES[Size.LARGE] * 2))
                upright = ImageOps.exif_transpose(sent)
                whole = _on_white(upright)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError, EOFError):
        raise InvalidForm({"picture": _NO_PICTURE}) from None
    bodies: dict[Size, bytes] = {}
    width = height = 0
    for size in Size:
        made = whole.copy()
        # The library would write on what it read: comments, profiles.
        made.info.clear()
        made.thumbnail((SIDES[size], SIDES[size]), Image.Resampling.LANCZOS)
        bodies[size] = _encoded(made)
        if size is Size.LARGE:
            width, height = made.size
    return Prepared(bodies, width, height)


def _check_size(sent: Image.Image) -> None:
    width, height = sent.size
    if width * height > MAX_PIXELS:
        raise InvalidForm({"picture": _TOO_MANY_PIXELS})
    if min(width, height) < 1 or max(width, height) > 100 * min(width, height):
        raise InvalidForm({"picture": "This picture is a line. Send one that is less narrow."})


def _on_white(sent: Image.Image) -> Image.Image:
    if sent.mode in {"RGBA", "LA", "PA"} or "transparency" in sent.info:
        layered = sent.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return sent.convert("RGB")


def _encoded(made: Image.Image) -> bytes:
    body = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        made.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        body = out.getvalue()
        if len(body) <= MAX_STORED_BYTES:
            return body
    return body
