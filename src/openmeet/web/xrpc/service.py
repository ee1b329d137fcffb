"""The site as an AT Protocol service: its DID, its DID document, and the audience names that it accepts.

Source: AT Protocol DID specification, did:web; service proxying (XRPC specification). The DID is derived from the
public URL, so each site has its own. Nothing is signed with it, so the document needs no key.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did, web_host
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response
from openmeet.web.site.services import services
from openmeet.web.xrpc.reasons import XrpcReason

DOCUMENT_PATH: Final = "/.well-known/did.json"
FRAGMENT: Final = "openmeet"
SERVICE_TYPE: Final = "OpenMeetQueries"

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_KEPT_SECONDS: Final = 300


def did_of(public_url: str) -> Did | None:
    """The did:web of a site. None if its host cannot have one, because it is an IP address or has a port.

    On loopback it is that of ``localhost``, the only such name that did:web allows.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    name = f"localhost%3A{parts.port or _DEFAULT_PORTS[parts.scheme]}" if host in _LOOPBACK else parts.netloc.lower()
    try:
        did = parse_did(f"did:web:{name}")
        web_host(did)
    except Malformed:
        return None
    return did


def names_of(public_url: str, *, bare: bool) -> tuple[str, ...]:
    """Audiences that service tokens may name. With ``bare``, the DID alone is accepted too, as older servers send it."""
    did = did_of(public_url)
    if did is None:
        return ()
    return (f"{did}#{FRAGMENT}", did) if bare else (f"{did}#{FRAGMENT}",)


def document_of(public_url: str) -> dict[str, object] | None:
    """The DID document at ``DOCUMENT_PATH``. None if the site has no DID."""
    did = did_of(public_url)
    if did is None:
        return None
    endpoint = public_url
    if (urlsplit(public_url).hostname or "") in _LOOPBACK:
        endpoint = f"http://{web_host(did)}"
    return {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "service": [{"id": f"#{FRAGMENT}", "type": SERVICE_TYPE, "serviceEndpoint": endpoint}],
    }


def routes() -> list[Route]:
    return [Route(DOCUMENT_PATH, show_document, methods=["GET"])]


async def show_document(request: Request) -> Response:
    document = document_of(services(request).settings.public_url)
    if document is None:
        raise NotFound(XrpcReason.NO_DID_OF_SITE)
    return json_response(document, headers={"cache-control": f"public, max-age={_KEPT_SECONDS}"})
