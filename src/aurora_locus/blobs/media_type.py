"""Media type of a blob: detected from its first bytes if possible, otherwise as declared.

Only formats with an unmistakable signature are detected. The content is not decoded.
"""

import re

UNKNOWN = "application/octet-stream"

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x1f\x8b\x08", "application/gzip"),
)

# ISO base media files name their brand after the word ftyp.
_BRANDS = (
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"mif1", "image/heif"),
    (b"qt  ", "video/quicktime"),
    (b"M4A ", "audio/mp4"),
)


def sniff(beginning: bytes) -> str | None:
    """Return the media type that the first bytes (a few hundred) prove, or None."""
    for signature, media_type in _SIGNATURES:
        if beginning.startswith(signature):
            return media_type
    if beginning[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(beginning[8:12])
    if beginning[4:8] == b"ftyp":
        return dict(_BRANDS).get(beginning[8:12], "video/mp4")
    return None


def declared_type(header: str | None) -> str:
    """Return the ``Content-Type`` without its parameters, in lower case. An invalid one counts as unknown."""
    bare = (header or "").partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else UNKNOWN
