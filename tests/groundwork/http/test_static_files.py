"""Static files by name."""

import gzip
from pathlib import Path

import httpx
import pytest

from groundwork.http.application import Application
from groundwork.http.compression import ENCODINGS
from groundwork.http.static_files import StaticFiles
from groundwork.telemetry.metrics import Metrics


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two files with one name are refused, because one would never be served."""
    for folder in ("shared", "own"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "base.css").write_text("p {}")
    with pytest.raises(ValueError, match="have the same name"):
        StaticFiles([tmp_path / "shared", tmp_path / "own"])
    (tmp_path / "own" / "base.css").rename(tmp_path / "own" / "frame.css")
    assert len(StaticFiles([tmp_path / "shared", tmp_path / "own"]).routes()) > 0


async def test_a_bundle_of_scripts_has_each_in_a_block_and_no_comments(tmp_path: Path) -> None:
    """A bundle puts each script into a block, so that names do not clash, and removes comment lines. A comment after
    code stays, because it may be part of a URL.
    """
    (tmp_path / "one.js").write_text('// First.\nconst place = "https://one.example"; // not a comment, perhaps\n')
    (tmp_path / "two.js").write_text("function place() {\n  // Second.\n  return 2;\n}\n")
    files = StaticFiles([tmp_path], {"all.js": ("one.js", "two.js")})
    transport = httpx.ASGITransport(Application(files.routes(), Metrics("test")))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
        served = (await client.get(files.url("all.js"))).text
    first = 'const place = "https://one.example"; // not a comment, perhaps\n'
    assert served == f"{{\n{first}}}\n{{\nfunction place() {{\n  return 2;\n}}\n}}\n"


async def test_a_stylesheet_keeps_only_the_space_that_it_needs(tmp_path: Path) -> None:
    """White space stays in strings, in selectors and between the parts of a value."""
    rules = (
        '.a :is(b, i) > p {\n  margin: calc(1px + 2px) 0;\n}\n\n/* A dot. */\n.b::after { content: " ·; {} " / ""; }\n'
    )
    (tmp_path / "page.css").write_text(rules + "@media (min-width: 5rem) and (hover: hover) { p { top: 0; } }\n")
    files = StaticFiles([tmp_path])
    transport = httpx.ASGITransport(Application(files.routes(), Metrics("test")))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
        served = (await client.get(files.url("page.css"))).text
    rules = '.a :is(b,i) > p{margin:calc(1px + 2px) 0}.b::after{content:" ·; {} " / ""}'
    assert served == rules + "@media (min-width:5rem) and (hover:hover){p{top:0}}"


async def test_text_is_compressed_once_and_pictures_are_not(tmp_path: Path) -> None:
    """Text is compressed once, in the encoding that the client prefers and never in one that it refuses. Pictures are
    not compressed.
    """
    style = b".card{color:red}" * 500
    (tmp_path / "page.css").write_bytes(style)
    (tmp_path / "mark.png").write_bytes(style)
    files = StaticFiles([tmp_path])
    transport = httpx.ASGITransport(Application(files.routes(), Metrics("test")))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
        for accepted, coding in [("gzip", "gzip"), ("gzip, br", ENCODINGS[0].value), ("br;q=0", None), ("", None)]:
            for _ in range(2):
                request = client.build_request("GET", files.url("page.css"), headers={"accept-encoding": accepted})
                answer = await client.send(request, stream=True)
                raw = b"".join([one async for one in answer.aiter_raw()])
                assert answer.headers.get("content-encoding") == coding, accepted
                assert answer.headers["vary"] == "Accept-Encoding"
                assert (raw == style) is (coding is None)
                assert coding != "gzip" or gzip.decompress(raw) == style
                assert int(answer.headers["content-length"]) == len(raw)
        picture = await client.get(files.url("mark.png"), headers={"accept-encoding": "gzip, br"})
        assert "content-encoding" not in picture.headers
