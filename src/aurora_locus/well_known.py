"""The fixed addresses of a PDS beside ``/xrpc/``."""

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aurora_locus.accounts import queries
from aurora_locus.repository.model import Status
from aurora_locus.settings import Settings, did_web_of
from groundwork.database.transaction import Database
from groundwork.errors import NotFound, Unavailable
from groundwork.http.json_bodies import json_response

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

# Whoever watches a server wants to know within a second or two.
HEALTH_SECONDS = 1.5

_FRONT_PAGE = """\
This is Aurora Locus, a Personal Data Server of the AT Protocol.

Most of the API is below /xrpc/
"""

_ROBOTS = "# Crawling the public API is allowed\nUser-agent: *\nAllow: /\n"


def health_route(db: Database, version: str) -> Route:
    """``/xrpc/_health``, which is no method although it stands among them."""
    return Route("/xrpc/_health", _health(db, version))


def routes(db: Database, settings: Settings) -> list[Route]:
    """Front page, robots.txt, and the documents that prove handles and the server's own DID."""
    return [
        Route("/", _text(_FRONT_PAGE)),
        Route("/robots.txt", _text(_ROBOTS)),
        Route("/.well-known/atproto-did", _handle_proof(db)),
        Route("/.well-known/did.json", _server_document(settings)),
    ]


def _text(text: str) -> Endpoint:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(text)

    return answer


def _health(db: Database, version: str) -> Endpoint:
    async def health(_request: Request) -> Response:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                # Through the writer, because readers do not notice a locked or full database; nothing is written.
                await db.write(lambda w: w.fetch_one("select 1"))
        except (TimeoutError, Unavailable):
            why = "The database does not answer."
            return json_response({"version": version, "error": why}, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response({"version": version})

    return health


def _handle_proof(db: Database) -> Endpoint:
    async def proof(request: Request) -> Response:
        # Here the Host header is the question, not a fact about us: which handle is asked about.
        handle = request.headers.get("host", "").partition(":")[0].lower()
        async with db.reader() as reader:
            account = await queries.find_by_handle(reader, handle)
        if account is None or account.status is not Status.ACTIVE:
            raise NotFound("No account here has this handle.")
        return PlainTextResponse(account.did)

    return proof


def _server_document(settings: Settings) -> Endpoint:
    async def document(_request: Request) -> Response:
        if settings.did != did_web_of(settings.url):
            raise NotFound("This server's DID document is elsewhere.")
        return json_response(
            {
                "@context": ["https://www.w3.org/ns/did/v1"],
                "id": settings.did,
                "service": [
                    {
                        "id": "#atproto_pds",
                        "type": "AtprotoPersonalDataServer",
                        "serviceEndpoint": settings.url,
                    }
                ],
            }
        )

    return document
