"""``Idempotency-Key``: a repeated request is carried out only once (draft of the IETF HTTPAPI group, version 07).

The key, a digest of the request and the response are written in the same transaction as the effect of the request. If
two equal requests arrive together, the second waits for the first and gets its response. This requires that a request
makes no separate commits: while it runs, every transaction that it opens joins this one (``tenant_routing.set_database``).
Failures are not stored, because they had no effect. Responses are sealed, because some contain a token.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Database, Engine, Reader, Transaction, Work
from groundwork.errors import Conflict, InvalidInput, Refused
from groundwork.sealing import CannotUnseal, Sealer
from openmeet.domain.api_tokens import idempotency
from openmeet.domain.users.model import UserId
from openmeet.web.api.problem import ApiReason
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, set_database

T = TypeVar("T")

HEADER: Final = "Idempotency-Key"
MAX_KEY: Final = 200

_KEPT_HEADERS: Final = ("content-type", "etag", "location", "cache-control")


class _KeptResponse(msgspec.Struct):
    """A stored response."""

    headers: dict[str, str]
    body: bytes


class _GaveUp(Exception):  # not a failure: the response is valid, but its transaction is rolled back
    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


class _Joined:
    """A database whose transactions all join one that is already open."""

    def __init__(self, db: Database, tx: Transaction) -> None:
        self._db = db
        self._tx = tx
        self.has_failed = False

    @property
    def engine(self) -> Engine:
        return self._db.engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        try:
            yield self._tx
        except BaseException:
            # A caller that catches this exception relies on the rollback of its writes.
            self.has_failed = True
            raise

    @asynccontextmanager
    async def reader(self, *, keeps_plans: bool = False) -> AsyncIterator[Reader]:  # noqa: ARG002 - nothing is opened
        yield self._tx

    async def read(self, _work: Callable[..., Any], /) -> NoReturn:
        raise RuntimeError("a request that carries a key reads in its transaction")

    async def state(self) -> NoReturn:
        raise RuntimeError("a request that carries a key sees what it writes itself")

    async def write(self, _work: Callable[..., Any], /) -> NoReturn:
        raise RuntimeError("a request that carries a key writes in its transaction")

    async def batch(self, work: Work[T], /, *, key: str | None = None) -> T:  # noqa: ARG002 - it is this transaction's turn
        async with self.transaction() as tx:
            return await work(tx)

    async def close(self) -> None:
        raise RuntimeError("the database is not this request’s to close")


async def once(request: Request, respond: Callable[[Request], Awaitable[Response]]) -> Response:
    """Run the request. If its key was used before, return the stored response instead.

    Raises InvalidInput if the key is invalid, and Refused if it was used for a different request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await respond(request)
    if not (1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise InvalidInput(HEADER, ApiReason.MALFORMED_KEY, most=MAX_KEY)
    user_id = caller_of(request).user_id
    digest = await _request_digest(request)
    db = database_of(request)
    try:
        async with db.transaction() as tx:
            if not await idempotency.begin(tx, user_id, key, digest):
                return await _stored_answer(tx, request, user_id, key, digest)
            joined = _Joined(db, tx)
            set_database(request, joined)
            response = await respond(request)
            if joined.has_failed or not 200 <= response.status_code < 300:  # this response had no effect
                raise _GaveUp(response)  # noqa: TRY301  # leaving the block is what rolls back
            sealed_response = _seal(request, user_id, key, response)
            await idempotency.end(tx, user_id, key, response.status_code, sealed_response)
    except _GaveUp as without_effect:
        return without_effect.answer
    finally:
        set_database(request, None)
    return response


async def _stored_answer(tx: Transaction, request: Request, user_id: UserId, key: str, digest: bytes) -> Response:
    stored_request = await idempotency.find(tx, user_id, key)
    if stored_request is None:
        raise Conflict(ApiReason.IN_PROGRESS)
    if not hmac.compare_digest(stored_request.digest, digest):
        raise Refused(ApiReason.KEY_REUSED, name="KeyReused")
    try:
        stored_response = msgspec.msgpack.decode(
            _sealer(request).unseal(stored_request.sealed_response, _purpose(user_id, key)), type=_KeptResponse
        )
    except CannotUnseal:
        raise Conflict(ApiReason.ANSWER_NOT_KEPT) from None
    return Response(
        stored_response.body, stored_request.status, {**stored_response.headers, "idempotency-replayed": "true"}
    )


def _seal(request: Request, user_id: UserId, key: str, response: Response) -> bytes:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    plain = msgspec.msgpack.encode(_KeptResponse(headers, bytes(response.body)))
    return _sealer(request).seal(plain, _purpose(user_id, key))


def _sealer(request: Request) -> Sealer:
    return services(request).code_key.sealer(b"openmeet/access/answers")


def _purpose(user_id: UserId, key: str) -> str:
    return f"openmeet/idempotency_keys/{user_id}/{key}"


async def _request_digest(request: Request) -> bytes:
    """A digest of method, path and body: equal requests have equal digests."""
    address = request.url.path + "?" + request.url.query
    parts = (request.method.encode(), address.encode(), await request.body())
    return hashlib.sha256(b"\x00".join(hashlib.sha256(part).digest() for part in parts)).digest()
