"""Cache of pages for visitors who are not signed in, valid until the next commit.

A link that many people open at once is rendered once per commit, not once per person. A page is served from the cache only
while ``Database.state`` is what it was before the page was rendered, so nobody sees an event as it was before an edit.
Texts that depend on the time (“in 10 minutes”) may be up to a minute old.
"""

import asyncio
import itertools
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import MINUTE, Clock
from groundwork.database.transaction import Database
from groundwork.http.compression import MIN_BYTES, Encoding, chosen_encoding, encoded
from openmeet.i18n.catalogue import current
from openmeet.web.site.reduced_data import saves_data

# Per site. The front page has 40 kB, its compressed copies 7 kB each.
_MAX_BYTES: Final = 32_000_000
# Longer searches are rarely asked for twice.
_MAX_QUERY_BYTES: Final = 200

# Path, query, language, and whether the browser saves data.
_Key = tuple[str, bytes, str, bool]
# State of the database, and the minute.
_State = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _CachedPage:
    """``began``: when rendering began, in the order of the cache's requests. ``compressed``: in the codings that were asked for."""

    state: _State
    began: int
    headers: dict[str, str]
    body: bytes
    compressed: dict[Encoding, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.body) + sum(map(len, self.compressed.values()))


class PageCache:
    """The cached pages of one site; the least recently used are dropped first."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._order = itertools.count()
        self._pages: OrderedDict[_Key, _CachedPage] = OrderedDict()
        self._locks: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def answer(
        self, request: Request, db: Database, clock: Clock, render: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """The cached page, or the response of ``render``, which is cached if its status is 200 and it sets no cookie.

        Raises what ``render`` raises.
        """
        query = request.scope["query_string"]
        # A cookie may identify the visitor, or carry a flash message.
        if request.method != "GET" or "cookie" in request.headers or len(query) > _MAX_QUERY_BYTES:
            return await render(request)
        key = (request.url.path, query, current().tag, saves_data())
        arrived = next(self._order)
        if (page := self._find(key, await _state(db, clock))) is not None:
            return await self._response(key, page, request)
        # Several visitors at once wait for one rendering.
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            # Read before rendering: after a commit in between, the page is not served again.
            state = await _state(db, clock)
            if (page := self._find(key, state, arrived=arrived)) is not None:
                return await self._response(key, page, request)
            began = next(self._order)
            response = await render(request)
            if response.status_code != 200 or "set-cookie" in response.headers:
                return response
            page = _CachedPage(state, began, _headers(response), bytes(response.body))
            self._store(key, page)
            return await self._response(key, page, request)

    def _find(self, key: _Key, state: _State, *, arrived: float = math.inf) -> _CachedPage | None:
        """The page if nothing was committed since. A visitor who ``arrived`` before its rendering began gets it in any case:
        it is as new as one rendered for them.
        """
        page = self._pages.get(key)
        if page is None or (page.state != state and page.began < arrived):
            return None
        self._pages.move_to_end(key)
        return page

    async def _response(self, key: _Key, page: _CachedPage, request: Request) -> Response:
        encoding = chosen_encoding(request.headers.get("accept-encoding", ""))
        if encoding is None or len(page.body) < MIN_BYTES:
            # Whatever wraps this response says that it varies.
            return Response(page.body, headers=page.headers)
        if encoding not in page.compressed:
            body = await encoded(page.body, encoding)
            # Who else asked meanwhile has done the same.
            if encoding not in page.compressed and self._pages.get(key) is page:
                self._size += len(body)
            page.compressed[encoding] = body
            self._drop_oldest()
        headers = page.headers | {"vary": "Save-Data, Accept-Encoding", "content-encoding": encoding.value}
        return Response(page.compressed[encoding], headers=headers)

    def _store(self, key: _Key, page: _CachedPage) -> None:
        if (old := self._pages.pop(key, None)) is not None:
            self._size -= old.size
        self._pages[key] = page
        self._size += page.size
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while self._size > self._max_bytes:
            _, oldest = self._pages.popitem(last=False)
            self._size -= oldest.size


async def _state(db: Database, clock: Clock) -> _State:
    return await db.state(), clock.now() // MINUTE


def _headers(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "content-length"}
