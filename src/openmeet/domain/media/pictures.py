"""Pictures and portraits: formats, sizes and limits, and re-encoding, which runs in a worker process."""

import io
import re
import struct
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from PIL import ExifTags, Image, UnidentifiedImageError

from groundwork.errors import InvalidForm, Reason
from groundwork.ui.tones import nearest_tone


class MediaReason(Reason):
    """Why an uploaded picture is refused. The messages are in ``i18n/reasons/events.py``."""

    TOO_NARROW = "media.too_narrow"
    TOO_LARGE = "media.too_large"
    UNREADABLE = "media.unreadable"
    TOO_MANY_PICTURES = "media.too_many_pictures"
    TOO_MANY_PIXELS = "media.too_many_pixels"
    NO_SUCH_PICTURE = "media.no_such_picture"
    ALT_NEEDED = "media.alt_needed"
    UPLOAD_EXPECTED = "media.upload_expected"
    KEEPS_NO_PICTURES = "media.keeps_no_pictures"
    TOO_MANY_CARDS = "media.too_many_cards"


PictureKey = NewType("PictureKey", str)

# The size of a photo from a present-day phone. Anything larger is refused before it is read.
MAX_UPLOAD_MEGABYTES: Final = 12
MAX_UPLOAD_BYTES: Final = MAX_UPLOAD_MEGABYTES * 1_000_000
# The accepted formats. The library must not try others. Forms name them in a sentence, too: ``picture`` of
# ``site/parts.html``.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
ACCEPTED_TYPES: Final = ",".join(f"image/{name.lower()}" for name in _FORMATS)
# 50 megapixels take 150 MB decoded. Anything larger is a decompression bomb or meant for print.
MAX_PIXELS: Final = 50_000_000
_TOO_MANY_PIXELS: Final = MediaReason.TOO_MANY_PIXELS(most=MAX_PIXELS // 1_000_000)
# The smallest common blob limit of records, so that every picture can be used in a record.
MAX_STORED_BYTES: Final = 1_000_000
MAX_ALT: Final = 1_000


class Size(StrEnum):
    """The stored sizes of a picture, the largest first."""

    LARGE = "large"
    MEDIUM = "medium"
    SMALL = "small"
    THUMBNAIL = "thumbnail"
    # The centred square, for at most 112 and 64 CSS pixels. The other sizes keep the shape of the picture.
    SQUARE = "square"
    SMALL_SQUARE = "small-square"


# The longer side in pixels.
SIDES: Final = {
    Size.LARGE: 1600,
    Size.MEDIUM: 1080,
    Size.SMALL: 640,
    Size.THUMBNAIL: 320,
    Size.SQUARE: 224,
    Size.SMALL_SQUARE: 128,
}


class PictureFormat(StrEnum):
    """The stored formats; the value is the file extension.

    WebP is half the size of JPEG. JPEG is for mail programs, records and other software that cannot read WebP.
    """

    JPEG = "jpg"
    WEBP = "webp"

    @property
    def content_type(self) -> str:
        return "image/jpeg" if self is PictureFormat.JPEG else "image/webp"


# Every file of a stored picture.
FILES: Final = tuple((size, format_) for size in Size for format_ in PictureFormat)


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture. ``key`` is its name in the store, and ``alt`` is its description. ``tone``: see
    ``tone_of_picture``; also None for pictures that were stored before tones were.
    """

    key: str
    alt: str
    width: int
    height: int
    tone: int | None = None


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A re-encoded picture: the bytes of each file in ``FILES``, the width and height of the large size, and the tone."""

    bodies: dict[tuple[Size, PictureFormat], bytes]
    width: int
    height: int
    tone: int | None


def is_picture_key(text: str) -> bool:
    """Whether this can be the key of a stored picture: here, in a chat or of an event's photos."""
    return _KEY.fullmatch(text) is not None


def blob_key(key: str, size: Size, format_: PictureFormat = PictureFormat.JPEG) -> str:
    """The storage key of one file of a picture."""
    return f"pictures/{key}-{size.value}.{format_.value}"


_KEY: Final = re.compile(r"[0-9a-f]{32}")

# Sides of square portraits in pixels: in lists and on cards, next to a name, and on a profile page. Each is sharp on a
# screen with double pixel density.
PORTRAIT_SIDES: Final = (48, 96, 256)


def portrait_key(key: str, side: int) -> str:
    """The storage key of one size of a portrait."""
    return f"portraits/{key}-{side}.webp"


PORTRAIT_TYPE: Final = "image/webp"
# A list shows dozens of the smallest size, which takes about 1 kB each.
_PORTRAIT_QUALITY: Final = 76

# Tried in descending order until the result is small enough.
_QUALITIES = (82, 72, 60, 45, 30)
# WebP at 75 looks as good as JPEG at 82.
_WEBP_QUALITIES = (75, 60, 45, 35, 25, 15)
# With these, an embed of one event and an embed of three events take less than 15 kB each.
MAX_SQUARE_BYTES: Final = {Size.SQUARE: 9_000, Size.SMALL_SQUARE: 3_000}
# For servers with a lower limit. Fewer pixels look better than strong compression.
_LEAST_SIDE = 200
_SIDES_DOWN = (SIDES[Size.LARGE], 1200, 900, SIDES[Size.SMALL], 480, 320, _LEAST_SIDE)
_QUALITIES_DOWN = (72, 50)

# The tone of a picture is found in this many pixels squared. A pixel with less chroma (of 255) counts as grey. Hues up
# to this distance (of 256) count as the same colour, and it must cover this share of the picture.
_TONE_SIDE: Final = 48
_LEAST_CHROMA: Final = 32
_HUES_AROUND: Final = 10
_LEAST_SHARE: Final = 0.1

# By the value of the tag "orientation" (Exif 2.32, section 4.6.4).
_TURNS: Final[dict[object, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(body: bytes, side: int) -> Image.Image:
    """Decode the first frame, upright and on white, at no more than twice the length of ``side``.

    Raises InvalidForm (``picture``). Code that encodes the result must leave out ``info``, which holds metadata.
    """
    try:
        with warnings.catch_warnings():
            # Check the dimensions before decoding, because the library only warns about large ones.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # Metadata that the library can only read in part.
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(io.BytesIO(body), formats=_FORMATS) as sent:
                _check_size(sent)
                # Let the JPEG decoder scale down if it can.
                sent.draft("RGB", (side * 2, side * 2))
                # Reduce the size first, because each later step holds all pixels twice.
                small = _at_most(sent, side * 2)
            return _on_white(_upright(small))
    except Image.DecompressionBombError:  # the library itself refuses to open pictures of 179 megapixels and more
        raise InvalidForm({"picture": _TOO_MANY_PIXELS}) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        raise InvalidForm({"picture": MediaReason.UNREADABLE}) from None


def prepare(body: bytes) -> PreparedPicture:
    """Re-encode the first frame, upright and without metadata. Raises InvalidForm (``picture``)."""
    image = decode(body, SIDES[Size.LARGE])
    # The library would otherwise copy metadata (comments, profiles) from its input.
    image.info.clear()
    bodies: dict[tuple[Size, PictureFormat], bytes] = {}
    # By width, height and limit: a small picture has the same ones, and so the same bytes, at several sizes.
    encoded: dict[tuple[int, int, int], dict[PictureFormat, bytes]] = {}
    for size in Size:
        made = _scaled(image, size)
        look = *made.size, MAX_SQUARE_BYTES.get(size, MAX_STORED_BYTES)
        if look not in encoded:
            encoded[look] = _encoded(made, size)
        bodies.update(((size, format_), bytes_) for format_, bytes_ in encoded[look].items())
    width, height, _ = max(encoded)
    return PreparedPicture(bodies, width, height, tone_of_picture(image))


def prepare_squares(body: bytes) -> dict[tuple[Size, PictureFormat], bytes]:
    """Encode the squares of a stored picture. Raises InvalidForm (``picture``)."""
    image = decode(body, SIDES[Size.SMALL])
    return {
        (size, format_): encoded
        for size in MAX_SQUARE_BYTES
        for format_, encoded in _encoded(_scaled(image, size), size).items()
    }


def tone_of_picture(image: Image.Image) -> int | None:
    """The tone whose hue is nearest to the dominant colour. None if the picture is grey or has no clear colour."""
    sample = image.resize((_TONE_SIDE, _TONE_SIDE), Image.Resampling.BOX).convert("HSV")
    weights, counts = [0.0] * 256, [0] * 256
    for hue, saturation, value in zip(*(band.tobytes() for band in sample.split()), strict=True):
        # The same as the difference of the largest and the smallest part of RGB: little for grey, pale and black.
        chroma = saturation * value / 255
        if chroma >= _LEAST_CHROMA:
            weights[hue] += chroma
            counts[hue] += 1
    around = range(-_HUES_AROUND, _HUES_AROUND + 1)
    dominant = max(range(256), key=lambda hue: sum(weights[(hue + one) % 256] for one in around))
    near = [(one, (dominant + one) % 256) for one in around]
    if sum(counts[hue] for _, hue in near) < _LEAST_SHARE * _TONE_SIDE**2:
        return None
    mean = dominant + sum(one * weights[hue] for one, hue in near) / sum(weights[hue] for _, hue in near)
    return nearest_tone(mean / 256)


def prepare_portrait(body: bytes) -> dict[int, bytes]:
    """Crop the picture to the centred square and encode it by side length, upright and without metadata.

    Raises InvalidForm (``picture``). A small picture is enlarged, because every place that shows a portrait reserves
    the full space.
    """
    square = _centred_square(decode(body, 2 * max(PORTRAIT_SIDES)))
    # The library would otherwise copy metadata (comments, profiles) from its input.
    square.info.clear()
    return {length: _encoded_portrait(square, length) for length in PORTRAIT_SIDES}


def _encoded_portrait(square: Image.Image, side: int) -> bytes:
    output = io.BytesIO()
    square.resize((side, side), Image.Resampling.LANCZOS).save(output, "WEBP", quality=_PORTRAIT_QUALITY, method=6)
    return output.getvalue()


def shrink(body: bytes, max_bytes: int) -> tuple[bytes, int, int] | None:
    """Re-encode a stored picture to at most this many bytes. Returns the largest version that fits, with its width and
    height.

    None if it would have to be smaller than ``_LEAST_SIDE``.
    """
    with Image.open(io.BytesIO(body), formats=("JPEG",)) as original:
        image = original.convert("RGB")
    for side in _SIDES_DOWN:
        made = image.copy()
        made.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in _QUALITIES_DOWN:
            smaller = _jpeg(made, quality)
            if len(smaller) <= max_bytes:
                return smaller, *made.size
    return None


def _check_size(sent: Image.Image) -> None:
    width, height = sent.size
    if width * height > MAX_PIXELS:
        raise InvalidForm({"picture": _TOO_MANY_PIXELS})
    if min(width, height) < 1 or max(width, height) > 100 * min(width, height):
        raise InvalidForm({"picture": MediaReason.TOO_NARROW})


def _at_most(sent: Image.Image, side: int) -> Image.Image:
    """Scale the picture down so that its longer side is at most this long. Its metadata stays attached."""
    has_alpha = sent.mode in {"RGBA", "LA", "PA"} or "transparency" in sent.info
    image = sent.convert("RGBA" if has_alpha else "RGB")
    sent.close()
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def _upright(sent: Image.Image) -> Image.Image:
    """Turn the picture as its metadata says. ``ImageOps.exif_transpose`` would also write the metadata again, which fails
    if they are broken.
    """
    try:
        turn = _TURNS.get(sent.getexif().get(ExifTags.Base.Orientation))
    except (struct.error, OSError, SyntaxError, ValueError, EOFError):
        # Metadata that the library cannot read. Viewers show such a picture as it is.
        return sent
    return sent if turn is None else sent.transpose(turn)


def _on_white(sent: Image.Image) -> Image.Image:
    if sent.mode != "RGBA":
        return sent
    ground = Image.new("RGBA", sent.size, "white")
    return Image.alpha_composite(ground, sent).convert("RGB")


def _centred_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _scaled(image: Image.Image, size: Size) -> Image.Image:
    made = _centred_square(image) if size in MAX_SQUARE_BYTES else image.copy()
    made.thumbnail((SIDES[size], SIDES[size]), Image.Resampling.LANCZOS)
    return made


def _encoded(made: Image.Image, size: Size) -> dict[PictureFormat, bytes]:
    webp = _webp_within_limit(made, MAX_SQUARE_BYTES.get(size, MAX_STORED_BYTES))
    return {PictureFormat.JPEG: _jpeg_within_limit(made), PictureFormat.WEBP: webp}


def _jpeg_within_limit(made: Image.Image) -> bytes:
    body = b""
    for quality in _QUALITIES:
        body = _jpeg(made, quality)
        if len(body) <= MAX_STORED_BYTES:
            return body
    return body


def _jpeg(made: Image.Image, quality: int) -> bytes:
    output = io.BytesIO()
    made.save(output, "JPEG", quality=quality, optimize=True, progressive=True)
    return output.getvalue()


def _webp_within_limit(made: Image.Image, max_bytes: int) -> bytes:
    body = b""
    for quality in _WEBP_QUALITIES:
        output = io.BytesIO()
        made.save(output, "WEBP", quality=quality)
        body = output.getvalue()
        if len(body) <= max_bytes:
            return body
    return body
