"""The fixed addresses of a PDS beside ``/xrpc/`` (protocol/xrpc.md 8)."""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aurora_locus.accounts import queries
from aurora_locus.repository.model import Status
from aurora_locus.settings import Settings
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

_FRONT_PAGE = """\
This is Aurora Locus, a Personal Data Server of the AT Protocol.

Most of the API is below /xrpc/
"""

_ROBOTS = "# Crawling the public API is allowed\nUser-agent: *\nAllow: /\n"


def routes(db: Database, settings: Settings, version: str) -> list[Route]:
    """Front page, robots.txt, health, and the documents that prove handles and the server's own DID."""
    return [
        Route("/", _text(_FRONT_PAGE)),
        Route("/robots.txt", _text(_ROBOTS)),
        Route("/xrpc/_health", _health(db, version)),
        Route("/.well-known/atproto-did", _handle_proof(db)),
        Route("/.well-known/did.json", _server_document(settings)),
    ]


def _text(text: str) -> Endpoint:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(text)

    return answer


def _health(db: Database, version: str) -> Endpoint:
    async def health(_request: Request) -> Response:
        async with db.reader() as reader:
            await reader.fetch_one("select 1")
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
        if not settings.did.startswith("did:web:"):
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
