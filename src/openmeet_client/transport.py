"""HTTP requests: authenticated with the token, retried with the same idempotency key, problem documents raised as
exceptions.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from openmeet_client.errors import NoAnswer, problem_of

T = TypeVar("T")

TRIES: Final = 4
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 30.0
# A stream does not end by itself. The server sends at least a comment every 25 seconds.
_STREAM: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_WORTH_RETRYING: Final = frozenset({429, 502, 503, 504})

Query = Mapping[str, str | int | list[str] | None]


class Transport:
    """Connections to one server with one token. ``wait`` sleeps between attempts."""

    def __init__(
        self,
        base_url: str,
        token: str | None,
        *,
        tries: int = TRIES,
        timeout_seconds: float = 30.0,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._tries = tries
        self._wait = wait
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        )

    async def close(self) -> None:
        await self._session.close()

    async def get(self, path: str, shape: type[T], query: Query | None = None) -> T:
        """GET a resource. Like all methods here, raises Problem and NoAnswer."""
        body, _ = await self._send("GET", path, None, query, {})
        return msgspec.json.decode(body, type=shape)

    async def get_file(self, path: str) -> bytes:
        """GET a file as bytes."""
        body, _ = await self._send("GET", path, None, None, {})
        return body

    async def lines(self, path: str, query: Query | None = None) -> AsyncIterator[bytes]:
        """Yield the lines of a file while the server is still writing it. A lost connection is not reopened."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            async with self._session.get(self._base + path, params=params, timeout=_STREAM) as response:
                if response.status >= 400:
                    raise problem_of(response.status, await response.read())
                rest = b""
                async for piece in response.content.iter_any():
                    *complete, rest = (rest + piece).split(b"\n")
                    for line in complete:
                        yield line
                if rest:
                    yield rest
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise NoAnswer(str(failure) or "The connection was lost.") from None

    async def get_revision(self, path: str, shape: type[T]) -> tuple[T, int | None]:
        """GET a resource whose body lacks its revision, and add the revision from the ETag."""
        body, tag = await self._send("GET", path, None, None, {})
        return msgspec.json.decode(body, type=shape), _revision(tag)

    async def change(
        self, method: str, path: str, shape: type[T], body: object = None, *, if_match: int | None = None
    ) -> T:
        """Send a change, which takes effect once even if it is retried. ``if_match``: only if this revision is still
        the newest.
        """
        value, _ = await self.change_revision(method, path, shape, body, if_match=if_match)
        return value

    async def change_revision(
        self, method: str, path: str, shape: type[T], body: object = None, *, if_match: int | None = None
    ) -> tuple[T, int | None]:
        """Like ``change``, and also return the new revision from the ETag."""
        content, tag = await self._send(method, path, body, None, _headers(if_match))
        return msgspec.json.decode(content, type=shape), _revision(tag)

    async def act(
        self, method: str, path: str, body: object = None, *, query: Query | None = None, if_match: int | None = None
    ) -> None:
        """Like ``change``, without reading the body of the response."""
        await self._send(method, path, body, query, _headers(if_match))

    async def pages(
        self, path: str, shape: type[T], next_of: Callable[[T], str | None], query: Query | None = None
    ) -> AsyncIterator[T]:
        """Yield every page of a list."""
        cursor: str | None = None
        while True:
            page = await self.get(path, shape, {**(query or {}), "cursor": cursor})
            yield page
            cursor = next_of(page)
            if cursor is None:
                return

    async def events(self, path: str, query: Query) -> AsyncIterator[tuple[str, bytes]]:
        """Yield names and data of a stream's events. If the connection is lost, the stream is reopened after the last
        event.

        Raises Problem, and NoAnswer after as many failures in a row as other requests have attempts.
        """
        params = {name: value for name, value in query.items() if value is not None}
        headers: dict[str, str] = {}
        failures, pause, name = 0, _FIRST_WAIT_SECONDS, ""
        while True:
            try:
                async with self._session.get(
                    self._base + path, params=params, headers=headers, timeout=_STREAM
                ) as response:
                    if response.status >= 400 and response.status not in _WORTH_RETRYING:
                        raise problem_of(response.status, await response.read())
                    async for field, value in _fields(response):
                        if field == b"id":
                            headers["last-event-id"] = value.decode()
                        elif field == b"event":
                            name, failures = value.decode(), 0
                        elif field == b"data":
                            yield name, value
            except (aiohttp.ClientError, TimeoutError) as failure:
                lost = str(failure)
            else:
                lost = ""
            failures += 1
            if failures >= self._tries:
                raise NoAnswer(lost or "The stream ended.")
            await self._wait(min(_LONGEST_WAIT_SECONDS, pause * 2**failures))

    async def _send(
        self, method: str, path: str, body: object, query: Query | None, headers: Mapping[str, str]
    ) -> tuple[bytes, str]:
        # The body and the ETag.
        sent: dict[str, Any] = {"params": {name: value for name, value in (query or {}).items() if value is not None}}
        sent["headers"] = dict(headers)
        if body is not None:
            sent["data"] = msgspec.json.encode(body)
            sent["headers"]["content-type"] = "application/json"
        if method != "GET":
            # Every attempt has the same key, so the server executes the change once.
            sent["headers"]["idempotency-key"] = str(uuid.uuid4())
        lost = "The server did not answer."
        for number in range(self._tries):
            is_last = number + 1 == self._tries
            wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**number)
            try:
                async with self._session.request(method, self._base + path, **sent) as response:
                    content = await response.read()
            except (aiohttp.ClientError, TimeoutError) as failure:
                lost = str(failure) or lost
            else:
                if response.status < 400:  # not a failure
                    return content, response.headers.get("etag", "")
                if is_last or response.status not in _WORTH_RETRYING:
                    raise problem_of(response.status, content)
                retry_after = response.headers.get("retry-after", "")
                wait = float(retry_after) if retry_after.isdigit() else wait
            if not is_last:
                await self._wait(wait)
        raise NoAnswer(lost)


async def _fields(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[bytes, bytes]]:
    """Yield names and values of the lines of an event stream; nothing if the response should be retried."""
    if response.status < 400:
        async for line in response.content:
            field, _, value = line.rstrip(b"\n").partition(b": ")
            yield field, value


def _revision(tag: str) -> int | None:
    """The number at the start of an ETag such as ``"3-9f2c41d07b3e"``."""
    number = tag.strip('"').partition("-")[0]
    return int(number) if number.isdecimal() else None


def _headers(if_match: int | None) -> dict[str, str]:
    return {} if if_match is None else {"if-match": f'"{if_match}"'}
