"""Cache of pages for visitors who are not signed in, valid as long as the rows that they show.

A page that many people open at once is rendered once instead of once per person. A cached page is served while
``Database.state`` is the same as before the page was rendered. After a commit, its statements are run again, and it is
rendered again if any of them returns other rows. So nobody sees an event as it was before an edit. Texts that depend on
the time (“in 10 minutes”) can be up to a minute old.
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
from groundwork.database.deferred import opened
from groundwork.database.recorded_reads import RecordedReads, recording
from groundwork.database.transaction import Database, ReadTooLong
from groundwork.http.compression import MIN_BYTES, Encoding, chosen_encoding, encoded
from openmeet.i18n.catalogue import current
from openmeet.web.site.caller import saves_data

# Maximum size per site. The front page takes 40 kB, and each compressed copy 7 kB.
_MAX_BYTES: Final = 32_000_000
# Long queries are rarely requested twice.
_MAX_QUERY_BYTES: Final = 200

# Path, query, language, and whether the browser asks to save data.
_Key = tuple[str, bytes, str, bool]
# State of the database, and the minute.
_State = tuple[str, int]


@dataclass(slots=True)
class _CachedPage:
    """A cached page. ``began`` is the sequence number of the request that started to render or to check it.
    ``compressed`` has the copies in the encodings that were requested. ``reads`` is what the page was rendered from, if
    it can be read again.
    """

    state: _State
    began: int
    headers: dict[str, str]
    body: bytes
    reads: RecordedReads | None
    compressed: dict[Encoding, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        copies = sum(map(len, self.compressed.values()))
        return len(self.body) + copies + (0 if self.reads is None else self.reads.size)

    async def is_current(self, state: _State) -> bool:
        """Whether rendering it in this state, which is not older than ``self.state``, would give the same page. If its
        reads take too long, it is taken as outdated.
        """
        _, minute = self.state
        if minute != state[1] or self.reads is None:
            return False
        try:
            return await self.reads.still_hold()
        except ReadTooLong:
            # They run in one transaction here, but in several when the page is rendered, each with its own limit.
            return False


class PageCache:
    """The cached pages of one site. The least recently used ones are dropped first."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._order = itertools.count()
        self._pages: OrderedDict[_Key, _CachedPage] = OrderedDict()
        self._locks: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def answer(
        self, request: Request, db: Database, clock: Clock, render: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """The cached page, or the response of ``render``. The response is cached if its status is 200 and it sets no
        cookie.

        Raises what ``render`` raises.
        """
        query = request.scope["query_string"]
        # A cookie may identify the visitor or carry a flash message.
        if request.method != "GET" or "cookie" in request.headers or len(query) > _MAX_QUERY_BYTES:
            return await render(request)
        key = (request.url.path, query, current().tag, saves_data())
        arrived = next(self._order)
        if (page := self._find(key, await _state(db, clock))) is not None:
            return await self._response(key, page, request)
        # Visitors who arrive at the same time wait for one rendering.
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            # Read before rendering. If there is a commit in between, the page is not served again.
            state = await _state(db, clock)
            if (page := self._find(key, state, arrived=arrived)) is not None:
                return await self._response(key, page, request)
            order = next(self._order)
            if (page := self._pages.get(key)) is not None and await page.is_current(state):
                page.state, page.began = state, order
                if key in self._pages:
                    self._pages.move_to_end(key)
                return await self._response(key, page, request)
            with recording(opened(db)) as log:
                response = await render(request)
            if response.status_code != 200 or "set-cookie" in response.headers:
                return response
            # Searches are rarely requested twice, and reading them again takes long.
            reads = None if query else log.finished()
            page = _CachedPage(state, order, _cached_headers(response), bytes(response.body), reads)
            self._store(key, page)
            return await self._response(key, page, request)

    def _find(self, key: _Key, state: _State, *, arrived: float = math.inf) -> _CachedPage | None:
        """The page, if nothing was committed since. A visitor who ``arrived`` before rendering began always gets it,
        because a page rendered for them would be no newer.
        """
        page = self._pages.get(key)
        if page is None or (page.state != state and page.began < arrived):
            return None
        self._pages.move_to_end(key)
        return page

    async def _response(self, key: _Key, page: _CachedPage, request: Request) -> Response:
        encoding = chosen_encoding(request.headers.get("accept-encoding", ""))
        if encoding is None or len(page.body) < MIN_BYTES:
            # The layer that compresses this response adds the ``Vary`` header.
            return Response(page.body, headers=page.headers)
        if encoding not in page.compressed:
            body = await encoded(page.body, encoding)
            # A concurrent request may already have done this.
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


def _cached_headers(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "content-length"}
