"""The well-known URLs of a PDS, outside ``/xrpc/``."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from at_protocol.crypto.did_key import PublicKey, format_multikey
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries, web_identities
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.handles import is_under
from aurora_locus.repository.model import HostingStatus
from aurora_locus.settings import PdsSettings, did_web_of
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response
from groundwork.telemetry.health import OK
from groundwork.telemetry.probes import Probes

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

# Names of the health probes. A PDS that cannot write is unhealthy; without its blobs it can still store records.
WRITES: Final = "writes"
BLOBS: Final = "blobs"

_ROBOTS = "# Crawling the public API is allowed\nUser-agent: *\nAllow: /\n"


def health_route(probes: Probes, version: str) -> Route:
    """The route of ``/xrpc/_health``, which is below ``/xrpc/`` but is not an XRPC method."""
    return Route("/xrpc/_health", _health(probes, version))


def routes(registry: Registry, settings: PdsSettings, label_key: PublicKey) -> list[Route]:
    """Routes of robots.txt, the documents that prove handles and the server's own DID, and the TLS check."""
    return [
        Route("/robots.txt", _text(_ROBOTS)),
        Route("/.well-known/atproto-did", _handle_proof(registry.db)),
        Route("/.well-known/did.json", _document(registry, settings, label_key)),
        Route("/tls-check", _tls_check(registry, settings)),
    ]


def _text(text: str) -> Endpoint:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(text)

    return answer


def _health(probes: Probes, version: str) -> Endpoint:
    async def health(_request: Request) -> Response:
        outcomes = probes.outcomes()
        body: dict[str, object] = {
            "version": version,
            "checks": {name: one.outcome for name, one in outcomes.items()},
            "ages": {name: one.age_seconds for name, one in outcomes.items()},
        }
        if outcomes[WRITES].outcome != OK:
            body["error"] = "Nothing can be written at the moment."
            return json_response(body, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response(body)

    return health


def _handle_proof(db: Database) -> Endpoint:
    async def proof(request: Request) -> Response:
        # The Host header is the requested handle.
        handle = request.headers.get("host", "").partition(":")[0].lower()
        async with db.reader() as reader:
            account = await queries.find_by_handle(reader, handle)
        if account is None or account.status is not HostingStatus.ACTIVE:
            raise NotFound("No account here has this handle.")
        return PlainTextResponse(account.did)

    return proof


def _document(registry: Registry, settings: PdsSettings, label_key: PublicKey) -> Endpoint:
    own_host = urlsplit(settings.url).hostname

    async def document(request: Request) -> Response:
        # As with handles, the Host header names the requested DID: this server, or one of our did:web accounts.
        host = request.headers.get("host", "").partition(":")[0].lower()
        if host != own_host and is_under(Handle(host), settings.service_handle_domains):
            return json_response(await web_identities.document(registry, host))
        if settings.did != did_web_of(settings.url):
            raise NotFound("This server's DID document is elsewhere.")
        return json_response(
            {
                "@context": ["https://www.w3.org/ns/did/v1"],
                "id": settings.did,
                "verificationMethod": [
                    {
                        "id": f"{settings.did}#atproto_label",
                        "type": "Multikey",
                        "controller": settings.did,
                        "publicKeyMultibase": format_multikey(label_key),
                    }
                ],
                "service": [
                    {
                        "id": "#atproto_pds",
                        "type": "AtprotoPersonalDataServer",
                        "serviceEndpoint": settings.url,
                    },
                    {"id": "#atproto_labeler", "type": "AtprotoLabeler", "serviceEndpoint": settings.url},
                ],
            }
        )

    return document


def _tls_check(registry: Registry, settings: PdsSettings) -> Endpoint:
    """On-demand TLS check: whether a reverse proxy may request a certificate for ``?domain=`` (this server, and names at
    which it serves the proof of a handle or the document of a did:web).

    Other domains are refused, because anyone could use them to exhaust the operator's certificate quota. The names of
    accounts that were never announced are such domains: anyone can sign up without confirming an address.
    """
    own_hostname = urlsplit(settings.url).hostname

    async def tls_check(request: Request) -> Response:
        domain = request.query_params.get("domain", "").lower()
        if domain != own_hostname:
            async with registry.db.reader() as reader:
                account = await queries.find_by_handle(reader, domain)
            if account is None or account.status is not HostingStatus.ACTIVE:
                # A did:web document is requested at the name in the DID, whatever the account's current handle is. It
                # is still served after the account has moved away. Raises NotFound.
                await web_identities.document(registry, domain)
        return PlainTextResponse("yes\n")

    return tls_check
