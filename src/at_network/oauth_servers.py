"""Discovery of a PDS's authorization server and its endpoints (RFC 9728, RFC 8414, atproto OAuth profile).

Both documents must come from their well-known URL with status 200, as JSON, and without a redirect. The issuer in a
document must be the server that it was fetched from. An authorization server that lists its PDSes must list this one.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from at_network.lookup_cache import Lifetimes, LookupCache
from at_protocol.failures import Malformed
from at_protocol.oauth.server_metadata import (
    RESOURCE_PATH,
    SERVER_PATH,
    ServerMetadata,
    check_issuer,
    parse_resource,
    parse_server,
)
from groundwork.clock import Clock
from groundwork.errors import NotFound, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.threads import compute

# The profile allows servers to cache these documents for five minutes (section 1).
_LIFETIMES = Lifetimes(fresh_seconds=300, hard_seconds=600)
_CACHE_BYTES = 8 * 1024 * 1024
# A document has a few kilobytes. Some servers list all the servers that accept their tokens.
_MAX_DOCUMENT_BYTES = 64 * 1024
_MAX_DOCUMENT_CONTAINERS = 1_024


class OAuthServers:
    """Server metadata, cached for minutes. Open one per program; ``close`` it before the HTTP client."""

    def __init__(self, http: HttpClient, clock: Clock, *, is_development: bool = False) -> None:
        """``is_development`` allows plain http."""
        self._http = http
        self._is_development = is_development
        self._issuers: LookupCache[str, str] = LookupCache(
            self._fetch_issuer, clock, host_of=_host, lifetimes=_LIFETIMES, max_bytes=_CACHE_BYTES
        )
        self._servers: LookupCache[str, ServerMetadata] = LookupCache(
            self._fetch_server, clock, host_of=_host, lifetimes=_LIFETIMES, max_bytes=_CACHE_BYTES
        )

    async def for_pds(self, pds: str) -> ServerMetadata:
        """Return the authorization server of a PDS, given by its origin.

        Raises NotFound (``NoOAuth``) if the server does not offer OAuth, RemoteFailed if its documents break the
        profile or it is unreachable, and RemoteSlow.
        """
        server = await self.at(await self.issuer_of(pds))
        if server.protected_resources is not None and pds not in server.protected_resources:
            raise RemoteFailed(
                f"{_host(server.issuer)} does not list {_host(pds)} as one of its servers.", name="WrongIssuer"
            )
        return server

    async def issuer_of(self, pds: str) -> str:
        """Return the one authorization server that a PDS names. Raises the same errors as ``for_pds``."""
        return await self._issuers.get(pds)

    async def at(self, issuer: str) -> ServerMetadata:
        """Return the metadata of an authorization server. Raises the same errors as ``for_pds``."""
        return await self._servers.get(issuer)

    async def for_address(self, origin: str) -> ServerMetadata:
        """Return the authorization server for an address: that of the PDS at the address, or else the server at the
        address itself.
        """
        try:
            return await self.for_pds(origin)
        except NotFound:
            return await self.at(origin)

    def recheck(self, pds: str) -> None:
        """Discard the cached documents of a PDS, so that its authorization server is looked up again before the next
        use.
        """
        self._issuers.recheck(pds)

    async def close(self) -> None:
        await self._issuers.close()
        await self._servers.close()

    async def _fetch_issuer(self, pds: str) -> str:
        document = await self._document(pds, RESOURCE_PATH)
        try:
            return parse_resource(document, pds, is_development=self._is_development)
        except Malformed as wrong:
            raise RemoteFailed(f"{_host(pds)} cannot be signed in at: its document's {wrong.why}.") from None

    async def _fetch_server(self, issuer: str) -> ServerMetadata:
        try:
            check_issuer(issuer, is_development=self._is_development)
            document = await self._document(issuer, SERVER_PATH)
            server = parse_server(document, issuer, is_development=self._is_development)
        except Malformed as wrong:
            raise RemoteFailed(f"{_host(issuer)} cannot be signed in at: its document's {wrong.why}.") from None
        # Tokens and passwords are sent there. Plain HTTP is accepted only in development, between programs on one
        # machine.
        for address in (server.authorization_endpoint, server.token_endpoint, server.par_endpoint):
            if urlsplit(address).scheme != "https" and not self._is_development:
                raise RemoteFailed(f"{_host(issuer)} cannot be signed in at: it is not secure.")
        return server

    async def _document(self, origin: str, path: str) -> object:
        response = await self._http.get(f"{origin}{path}", max_bytes=_MAX_DOCUMENT_BYTES)
        if response.status == HTTPStatus.NOT_FOUND:
            raise NotFound(f"{_host(origin)} does not offer sign-in for apps.", name="NoOAuth")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status != HTTPStatus.OK or kind != "application/json":
            raise RemoteFailed(f"{_host(origin)} does not respond like an account server.", status=response.status)
        document: object = await compute(len(response.body), response.json, max_containers=_MAX_DOCUMENT_CONTAINERS)
        return document


def _host(origin: str) -> str:
    return origin.partition("://")[2] or origin
