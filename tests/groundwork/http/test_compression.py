"""Who gets a folded body."""

import gzip

import pytest

from groundwork.http.compression import accepts_gzip, fold


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        (None, False),
        (b"", False),
        (b"identity", False),
        (b"gzip", True),
        (b"br, GZIP", True),
        (b"gzip;q=0", False),
        (b"gzip ; q = 0.0, br", False),
        (b"gzip;q=0.5", True),
        (b"deflate,gzip;q=1.0, *;q=0.5", True),
        (b"x-gzip", True),
        (b"gzipped", False),
        (b"notgzip", False),
        (b"gzip;q=x", False),
        (b"*", False),
    ],
)
def test_who_reads_it(header: bytes | None, *, accepts: bool) -> None:
    assert accepts_gzip(header) is accepts


@pytest.mark.parametrize("size", [0, 5000, 1_000_000])
async def test_what_is_folded_unfolds(size: int) -> None:
    body = b"{}" * (size // 2)
    folded = await fold(body)
    assert gzip.decompress(folded) == body
    assert size == 0 or len(folded) < size / 10
