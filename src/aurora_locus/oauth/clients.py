"""OAuth clients by their metadata documents, which are fetched from the client id's URL and cached for ten minutes.

Every URL is untrusted: it is fetched with the guarded client and without redirects, and only JSON with status 200 and
at most 64 KiB is accepted (invariant 7). Keys are fetched separately, and again if an assertion names an unknown one.
A removed key is rejected after ten minutes at the latest.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from at_network.lookup_cache import Lifetimes, LookupCache
from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import ClientId, is_localhost
from at_protocol.oauth.client_metadata import ClientMetadata, localhost_client, parse_client_metadata
from at_protocol.oauth.jwks import ClientKey, parse_jwks
from groundwork.clock import Clock
from groundwork.errors import Failure, NotFound, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.http.json_bodies import parse_json
from groundwork.threads import compute

FRESH_SECONDS = 600
# Enough for the largest valid document, with a hundred redirect URIs and a hundred keys. An ordinary one has one
# kilobyte.
MAX_BYTES = 64 * 1024
MAX_CONTAINERS = 1_024
TIMEOUT_SECONDS = 5.0

# Enough for some thousands.
CACHE_BYTES = 8 * 1024 * 1024

# Fetches the JSON at an untrusted URL. Raises what ``over_http`` raises.
Fetch = Callable[[str], Awaitable[bytes]]

# Stale documents are never used, because a removed key or redirect URI must stop working.
_LIFETIMES = Lifetimes(
    fresh_seconds=FRESH_SECONDS, hard_seconds=FRESH_SECONDS, absent_seconds=10, failed_seconds=5, forced_gap_seconds=10
)


def over_http(http: HttpClient) -> Fetch:
    """Return a function that fetches with the guarded client. It raises RemoteFailed, RemoteSlow, AddressRefused."""

    async def fetch(url: str) -> bytes:
        response = await http.get(
            url, headers={"accept": "application/json"}, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_BYTES
        )
        host = urlsplit(url).netloc
        if response.status != 200:
            raise RemoteFailed(f"{host} answered with status {response.status} where the document should be.")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise RemoteFailed(f"{host} did not answer with application/json.")
        return response.body

    return fetch


class Clients:
    """The clients of one server."""

    def __init__(self, fetch: Fetch, clock: Clock, *, is_development: bool, cache_bytes: int = CACHE_BYTES) -> None:
        """``cache_bytes`` limits the memory for clients, and as much the memory for keys that are fetched separately."""
        self._fetch = fetch
        self._is_development = is_development
        self._clients: LookupCache[ClientId, ClientMetadata] = LookupCache(
            self._client, clock, host_of=_host_of, lifetimes=_LIFETIMES, max_bytes=cache_bytes
        )
        self._keys: LookupCache[str, Mapping[str, ClientKey]] = LookupCache(
            self._key_set, clock, host_of=_host_of, lifetimes=_LIFETIMES, max_bytes=cache_bytes
        )

    async def find(self, client_id: ClientId) -> ClientMetadata:
        """Return the client. Raises Malformed if its document breaks a rule; RemoteFailed, RemoteSlow or AddressRefused
        if it cannot be fetched.
        """
        if is_localhost(client_id):
            return localhost_client(client_id)
        try:
            return await self._clients.get(client_id)
        except _InvalidMetadata as broken:
            raise broken.malformed() from None

    async def key(self, metadata: ClientMetadata, key_id: str) -> ClientKey | None:
        """Return the client's published key with this id; None if there is none. Raises what ``find`` raises."""
        if metadata.keys is not None:
            return metadata.keys.get(key_id)
        if metadata.jwks_uri is None:
            return None
        try:
            key = (await self._keys.get(metadata.jwks_uri)).get(key_id)
            if key is None:
                key = (await self._keys.refresh(metadata.jwks_uri)).get(key_id)
        except _InvalidMetadata as broken:
            raise broken.malformed() from None
        return key

    async def close(self) -> None:
        await self._clients.close()
        await self._keys.close()

    async def _client(self, client_id: ClientId) -> ClientMetadata:
        text = await self._fetch(client_id)
        return await compute(len(text), self._parse_client, client_id, text)

    def _parse_client(self, client_id: ClientId, text: bytes) -> ClientMetadata:
        try:
            return parse_client_metadata(_json(text), client_id, is_development=self._is_development)
        except Malformed as error:
            raise _InvalidMetadata(error.why) from None

    async def _key_set(self, url: str) -> Mapping[str, ClientKey]:
        text = await self._fetch(url)
        return await compute(len(text), _parse_keys, text)


class _InvalidMetadata(NotFound):
    """The document exists but breaks a rule. The cache treats this as an answer, not as a failed fetch."""

    def malformed(self) -> Malformed:
        return Malformed("client metadata", "", str(self.why))


def _parse_keys(text: bytes) -> Mapping[str, ClientKey]:
    try:
        return parse_jwks(_json(text))
    except Malformed as error:
        raise _InvalidMetadata(error.why) from None


def _json(text: bytes) -> object:
    try:
        return parse_json(text, max_containers=MAX_CONTAINERS)
    except Failure as failure:
        raise Malformed("client metadata", "(document)", f"the document is not JSON: {failure.why}") from None


def _host_of(url: str) -> str:
    return urlsplit(url).netloc
