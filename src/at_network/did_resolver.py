"""DID resolver: fetches did:plc from a directory and did:web from its own host, with a cache (``lookup_cache``).

Source: atproto DID specification, did:plc and did:web methods. The directory's answer is trusted. To verify it, replay
the log (``at_protocol.identity.plc_log``).
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from at_network.lookup_cache import Lifetimes, LookupCache
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument, parse_did_document
from at_protocol.syntax.did import Did, DidMethod, supported_method, web_host
from at_protocol.syntax.handle import Handle, reserved_domain
from groundwork.clock import Clock
from groundwork.errors import FailureReason, InvalidInput, NotFound, RemoteFailed, with_stored_reason
from groundwork.http.client import HttpClient, HttpResponse
from groundwork.threads import compute

# Documents have a few hundred bytes. The directory accepts operations of at most 7,500 bytes.
MAX_DOCUMENT_BYTES = 64 * 1024
# Each key, service and list is one.
MAX_DOCUMENT_CONTAINERS = 1_024
TIMEOUT_SECONDS = 3.0
# How the reference directory begins its message about a tombstone.
_TOMBSTONE = "DID not available"


@dataclass(frozen=True, slots=True)
class DidSettings:
    """Settings of the DID resolver.

    ``directory_url`` is the did:plc directory. ``second_directory_url`` is queried for DIDs that the first one does not
    know; it can be empty. ``is_development`` allows did:web on localhost and ``.test``. ``max_bytes`` limits the memory
    that cached documents take: by default enough for twenty thousand ordinary ones.
    """

    directory_url: str
    second_directory_url: str = ""
    is_development: bool = False
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = 32 * 1024 * 1024


class DidResolver:
    """Resolves DIDs. Open one per program, and ``close`` it before the HTTP client.

    ``directory_http`` calls the directory: the operator chooses its address, which can be private. All other hosts
    (did:web) are called through ``http``.
    """

    def __init__(
        self, http: HttpClient, clock: Clock, settings: DidSettings, *, directory_http: HttpClient | None = None
    ) -> None:
        self._http = http
        self._directory_http = directory_http or http
        self._settings = settings
        self._cache: LookupCache[Did, DidDocument] = LookupCache(
            self._fetch,
            clock,
            host_of=_host_of,
            lifetimes=settings.lifetimes,
            max_bytes=settings.max_bytes,
        )

    async def resolve(self, did: Did) -> DidDocument:
        """Return the DID document, at most a day old.

        Raises InvalidInput (``UnresolvableDid``) for an unsupported method or form, NotFound (``DidNotFound``, or
        ``DidDeactivated`` for a tombstone), and RemoteFailed or RemoteSlow if the document cannot be fetched.
        """
        self._check(did)
        return await self._cache.get(did)

    async def resolve_current(self, did: Did) -> DidDocument:
        """Fetch and return the DID document. Unlike ``resolve``, never returns a cached one that may be outdated.

        Raises the same errors as ``resolve``.
        """
        self._check(did)
        return await self._cache.get_current(did)

    def cached_document(self, did: Did) -> DidDocument | None:
        """Return the document if ``resolve`` would answer from the cache. For callers that must not wait."""
        return self._cache.peek(did)

    async def refresh(self, did: Did) -> DidDocument:
        """Fetch the document again, bypassing the cache, for example after a signature failed to verify.

        Limited per DID and per host. Raises the same errors as ``resolve``.
        """
        self._check(did)
        return await self._cache.refresh(did)

    async def rotation_keys(self, did: Did) -> tuple[str, ...]:
        """Return the rotation keys (did:key) of a did:plc, highest authority first, bypassing the cache.

        Empty for a did:web. Raises the same errors as ``resolve``.
        """
        self._check(did)
        if supported_method(did) is not DidMethod.PLC:
            return ()
        url = f"{did_url(did, self._settings.directory_url)}/data"
        response = await self._directory_http.get(url, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_DOCUMENT_BYTES)
        if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise _absent(did, response)
        value = response.expect_ok().json()
        keys = value.get("rotationKeys") if isinstance(value, dict) else None
        if not isinstance(keys, list):
            raise _unreadable(f"The directory's answer about {did} cannot be used.", response)
        return tuple(key for key in keys if isinstance(key, str))

    def recheck(self, did: Did) -> None:
        """Mark a DID whose document might have changed (``#identity`` event), so that it is revalidated before its next
        use.
        """
        self._cache.recheck(did)

    async def close(self) -> None:
        await self._cache.close()

    def _check(self, did: Did) -> None:
        try:
            if supported_method(did) is DidMethod.PLC:
                return
            host = web_host(did)
        except Malformed as failure:
            raise InvalidInput("did", f"This DID cannot be resolved: {failure.why}.", name="UnresolvableDid") from None
        is_local = host.startswith("localhost:")
        allow = self._settings.is_development
        if (is_local and not allow) or (not is_local and reserved_domain(Handle(host), allow_test=allow)):
            raise InvalidInput("did", f"{host} cannot host an identity.", name="UnresolvableDid")

    async def _fetch(self, did: Did) -> DidDocument:
        is_plc = supported_method(did) is DidMethod.PLC
        http = self._directory_http if is_plc else self._http
        url = did_url(did, self._settings.directory_url)
        response = await http.get(url, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_DOCUMENT_BYTES)
        if is_plc and response.status == HTTPStatus.NOT_FOUND and self._settings.second_directory_url:
            url = did_url(did, self._settings.second_directory_url)
            response = await http.get(url, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_DOCUMENT_BYTES)
        if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise _absent(did, response)
        return await compute(len(response.body), _parse, did, response.expect_ok())


def did_url(did: Did, directory_url: str) -> str:
    """Return the URL of the document of a supported DID. Plain HTTP is used for ``localhost`` only."""
    if supported_method(did) is DidMethod.PLC:
        return f"{directory_url.rstrip('/')}/{did}"
    host = web_host(did)
    scheme = "http" if host.startswith("localhost:") else "https"
    return f"{scheme}://{host}/.well-known/did.json"


def is_tombstone(response: HttpResponse) -> bool:
    """Whether a response of the directory says that the identity was closed. The specification answers 410. The reference
    directory answers 404, as for an unknown identity, and names no error: only its message differs.
    """
    if response.status != HTTPStatus.NOT_FOUND:
        return response.status == HTTPStatus.GONE
    return message_of(response).startswith(_TOMBSTONE)


def message_of(response: HttpResponse) -> str:
    """The member ``message`` of a response in JSON; empty if there is none."""
    try:
        body = response.json()
    except RemoteFailed:
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else ""


def _parse(did: Did, response: HttpResponse) -> DidDocument:
    try:
        return parse_did_document(response.json(max_containers=MAX_DOCUMENT_CONTAINERS), did)
    except Malformed as failure:
        raise _unreadable(f"The document of {did} cannot be used: {failure.why}.", response) from None


def _unreadable(sentence: str, response: HttpResponse) -> RemoteFailed:
    host = urlsplit(response.url).hostname or ""
    return with_stored_reason(RemoteFailed(sentence), FailureReason.UNREADABLE_ANSWER(host=host))


def _absent(did: Did, response: HttpResponse) -> NotFound:
    if is_tombstone(response):
        return NotFound(f"The identity {did} has been closed.", name="DidDeactivated")
    return NotFound(f"There is no identity {did}.", name="DidNotFound")


def _host_of(did: Did) -> str:
    return "" if supported_method(did) is DidMethod.PLC else web_host(did)
