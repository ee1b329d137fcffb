"""Pages of visitors who are not signed in, kept until the database changes.

A link that many people open at once is rendered once per commit, not once per person. A page is given again only while the
database holds exactly what it held before the page was rendered (``Database.state``), so no visitor sees an event as it was
before an edit. Words that depend on the time (“in 10 minutes”) may be a minute old.
"""

import asyncio
import itertools
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import MINUTE, Clock
from groundwork.database.transaction import Database
from groundwork.http.compression import MIN_BYTES, accepts_gzip, fold
from openmeet.i18n.catalogue import current

# Of one site; a page of discover has 40 kB, and 6 kB more for the compressed one.
_MAX_BYTES: Final = 32_000_000
# A longer search is somebody's own.
_MAX_QUERY_BYTES: Final = 200

_Key = tuple[str, bytes, str]
_State = tuple[str, int]


@dataclass(slots=True)
class _Kept:
    state: _State
    began: int
    body: bytes
    headers: dict[str, str]
    compressed: bytes | None = None

    @property
    def size(self) -> int:
        return len(self.body) + len(self.compressed or b"")


class PageCache:
    """The pages of one site. The pages that were asked for least recently go first."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._order = itertools.count()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._locks: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def answer(
        self, request: Request, db: Database, clock: Clock, render: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """The kept page, or ``render``'s. What is raised, sets a cookie or has another status than 200 is not kept."""
        query = request.scope["query_string"]
        # A cookie may name the visitor, or bring a message that is shown once.
        if request.method != "GET" or "cookie" in request.headers or len(query) > _MAX_QUERY_BYTES:
            return await render(request)
        key = (request.url.path, query, current().tag)
        came = next(self._order)
        kept = self._find(key, await _state(db, clock))
        if kept is None:
            lock = self._locks.setdefault(key, asyncio.Lock())
            async with lock:
                # Before the page is read: a commit in between means that nobody is given this one again.
                state = await _state(db, clock)
                kept = self._find(key, state, since=came)
                if kept is None:
                    began = next(self._order)
                    response = await render(request)
                    if response.status_code == 200 and "set-cookie" not in response.headers:
                        self._keep(key, _Kept(state, began, bytes(response.body), _headers(response)))
                    return response
        return await self._given(request, kept)

    def _find(self, key: _Key, state: _State, *, since: float = math.inf) -> _Kept | None:
        """The page if nothing was committed since, or if it was begun after ``since``, when its visitor was already waiting."""
        kept = self._kept.get(key)
        if kept is None or (kept.state != state and kept.began < since):
            return None
        self._kept.move_to_end(key)
        return kept

    async def _given(self, request: Request, kept: _Kept) -> Response:
        if len(kept.body) < MIN_BYTES:
            return Response(kept.body, headers=kept.headers)
        headers = kept.headers | {"vary": "Accept-Encoding"}
        if not accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1")):
            return Response(kept.body, headers=headers)
        if kept.compressed is None:
            kept.compressed = await fold(kept.body)
            self._size += len(kept.compressed)
            self._shrink()
        return Response(kept.compressed, headers=headers | {"content-encoding": "gzip"})

    def _keep(self, key: _Key, page: _Kept) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._size -= old.size
        self._kept[key] = page
        self._size += page.size
        self._shrink()

    def _shrink(self) -> None:
        while self._size > self._max_bytes and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size


async def _state(db: Database, clock: Clock) -> _State:
    return await db.state(), clock.now() // MINUTE


def _headers(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "content-length"}
