"""Static files of a release, which clients may cache forever: each is served under the hash of its content and
compressed once.
"""

import asyncio
import functools
import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.compression import Encoding, chosen_encoding, file_bodies

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED_TYPES = frozenset({".css", ".js", ".svg"})
# Fits into one packet without compression.
_LEAST_BYTES = 1024
_HASH_CHARACTERS = 12
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
# In scripts, only comments on lines of their own are removed. After code, the same characters could be part of a
# string.
_COMMENTS = {
    ".css": re.compile(rb"/\*.*?\*/\n?", re.DOTALL),
    ".js": re.compile(rb"^[ \t]*//.*\n", re.MULTILINE),
}
# In stylesheets, white space around punctuation and after the name of a property. The first alternative keeps strings.
_SPACE = re.compile(rb"""("[^"]*"|'[^']*')|\s*([{};,])\s*|(?<=[a-z0-9-])(:) |\s+""")
_REFERENCE = re.compile(rb'url\("([a-z0-9.-]+)"\)')


class StaticFiles:
    """The stylesheets, scripts, pictures and fonts in some folders. They belong to the release, so they are read once.

    ``bundles`` maps the name of a stylesheet or script to the names of its parts, in order, so that a page requests a
    single file. The scripts of a bundle are modules that import nothing and do not share names. ``more`` are files that
    are generated at start (name to content). In stylesheets, ``url("name")`` refers to one of these files. Comments, and
    white space in stylesheets, are removed. Raises ValueError if two folders have a file with the same name.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        bundles: Mapping[str, Sequence[str]] | None = None,
        more: Mapping[str, bytes] | None = None,
    ) -> None:
        paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in _TYPES]
        contents = {path.name: path.read_bytes() for path in paths}
        if len(contents) < len(paths):
            raise ValueError(f"two files of {', '.join(map(str, folders))} have the same name")
        contents |= {
            name: _bundled(name, [contents[part] for part in parts]) for name, parts in (bundles or {}).items()
        }
        contents = {name: _without_comments(name, content) for name, content in contents.items()}
        self._files: dict[str, tuple[bytes, str]] = {}
        self._compressed: dict[str, dict[Encoding, bytes]] = {}
        self._compressing = threading.Lock()
        # Stylesheets come last, because their content includes the URLs of the others.
        for name, content in sorted((contents | dict(more or {})).items(), key=lambda one: one[0].endswith(".css")):
            served = _REFERENCE.sub(self._address, content) if name.endswith(".css") else content
            self._files[name] = (served, hashlib.sha256(served).hexdigest()[:_HASH_CHARACTERS])

    def _address(self, reference: re.Match[bytes]) -> bytes:
        return f'url("{self.url(reference[1].decode())}")'.encode()

    def url(self, name: str) -> str:
        """Return the URL of a file of this release, which changes with the content. Raises KeyError."""
        return f"/static/{self._files[name][1]}/{name}"

    def routes(self) -> list[Route]:
        """Return the only route, ``/static/{hash}/{name}``."""
        return [Route("/static/{hash}/{name}", self.serve, methods=["GET"])]

    async def serve(self, request: Request) -> Response:
        """Serve a file, under its current URL only. Raises NotFound."""
        name = request.path_params["name"]
        content, tag = self._files.get(name, (b"", ""))
        if not tag or tag != request.path_params["hash"]:
            raise NotFound("There’s nothing at this address.")
        suffix = Path(name).suffix
        if suffix not in _COMPRESSED_TYPES or len(content) < _LEAST_BYTES:
            return Response(content, media_type=_TYPES[suffix], headers=_FOR_EVER)
        headers = _FOR_EVER | {"vary": "Accept-Encoding"}
        encoding = chosen_encoding(request.headers.get("accept-encoding", ""))
        if encoding is not None:
            bodies = self._compressed.get(name)
            if bodies is None:
                bodies = await asyncio.to_thread(self._compress, name, content)
            content = bodies[encoding]
            headers |= {"content-encoding": encoding.value}
        return Response(content, media_type=_TYPES[suffix], headers=headers)

    def _compress(self, name: str, content: bytes) -> dict[Encoding, bytes]:
        """Compress a file with every coding. This happens on the first request, because it takes too long at start."""
        if name not in self._compressed:
            with self._compressing:
                if name not in self._compressed:
                    self._compressed[name] = file_bodies(content)
        return self._compressed[name]


def _bundled(name: str, parts: Sequence[bytes]) -> bytes:
    """Join several files into one. Each script becomes a block, so that its constants and functions stay private."""
    return b"".join(parts) if name.endswith(".css") else b"".join(b"{\n" + part + b"}\n" for part in parts)


@functools.cache
def _without_comments(name: str, content: bytes) -> bytes:
    # Cached because several servers in one process have the same files, and because it takes most of the time in which
    # an account server starts.
    comment = _COMMENTS.get(Path(name).suffix)
    content = comment.sub(b"", content) if comment else content
    return _without_space(content) if name.endswith(".css") else content


def _without_space(stylesheet: bytes) -> bytes:
    short = _SPACE.sub(lambda found: found[1] or found[2] or found[3] or b" ", stylesheet)
    return short.replace(b";}", b"}").strip()
