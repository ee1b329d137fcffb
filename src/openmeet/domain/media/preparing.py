"""From bytes that somebody sent to a picture that may be served. Heavy: run in a worker process."""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from groundwork.errors import InvalidForm
from openmeet.domain.media.pictures import MAX_PIXELS, MAX_STORED_BYTES, SIDES, Prepared, Size

# What people send; everything else that the library could read stays unread.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")

_NO_PICTURE = "This is no picture that we can read. Send a JPEG, PNG, WebP or GIF."
_TOO_MANY_PIXELS = f"A picture has at most {MAX_PIXELS // 1_000_000} million pixels."

# From good to poor, until it is small enough.
_QUALITIES = (82, 72, 60, 45, 30)
# For a server that takes less: fewer pixels look better than coarse ones.
_LEAST_SIDE = 200
_SIDES_DOWN = (SIDES[Size.LARGE], 1200, 900, SIDES[Size.SMALL], 480, 320, _LEAST_SIDE)
_QUALITIES_DOWN = (72, 50)


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
                # Small first: each further step would hold all pixels twice.
                small = _at_most(sent, SIDES[Size.LARGE] * 2)
            whole = _on_white(ImageOps.exif_transpose(small))
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


def shrunk(body: bytes, max_bytes: int) -> tuple[bytes, int, int] | None:
    """A picture that was made here, again with at most so many bytes: the largest that fits, its width and height.

    None where none fits whose longer side is ``_LEAST_SIDE`` or more.
    """
    with Image.open(io.BytesIO(body), formats=("JPEG",)) as kept:
        whole = kept.convert("RGB")
    for side in _SIDES_DOWN:
        made = whole.copy()
        made.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in _QUALITIES_DOWN:
            smaller = _saved(made, quality)
            if len(smaller) <= max_bytes:
                return smaller, *made.size
    return None


def _check_size(sent: Image.Image) -> None:
    width, height = sent.size
    if width * height > MAX_PIXELS:
        raise InvalidForm({"picture": _TOO_MANY_PIXELS})
    if min(width, height) < 1 or max(width, height) > 100 * min(width, height):
        raise InvalidForm({"picture": "This picture is a line. Send one that is less narrow."})


def _at_most(sent: Image.Image, side: int) -> Image.Image:
    """The picture with all its colours, its longer side no longer than this; what the file says beside it stays with it."""
    has_alpha = sent.mode in {"RGBA", "LA", "PA"} or "transparency" in sent.info
    whole = sent.convert("RGBA" if has_alpha else "RGB")
    sent.close()
    whole.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return whole


def _on_white(sent: Image.Image) -> Image.Image:
    if sent.mode != "RGBA":
        return sent
    ground = Image.new("RGBA", sent.size, "white")
    return Image.alpha_composite(ground, sent).convert("RGB")


def _encoded(made: Image.Image) -> bytes:
    body = b""
    for quality in _QUALITIES:
        body = _saved(made, quality)
        if len(body) <= MAX_STORED_BYTES:
            return body
    return body


def _saved(made: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    made.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
