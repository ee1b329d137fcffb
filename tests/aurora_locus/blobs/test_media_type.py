"""Detecting the media type of a blob."""

import pytest

from aurora_locus.blobs.media_type import declared_type, sniff


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00????", None),
        (b"\x00\x00\x00\x20ftypavif", "image/avif"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_first_bytes(beginning: bytes, media_type: str | None):
    assert sniff(beginning) == media_type


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("Image/PNG; q=1", "image/png"),
        ("text/plain", "text/plain"),
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("text/plain\r\nx: y", "application/octet-stream"),
        ("*/*; a=b", "application/octet-stream"),
    ],
)
def test_declared(header: str | None, media_type: str):
    assert declared_type(header) == media_type
