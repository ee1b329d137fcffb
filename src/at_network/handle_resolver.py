"""Handle resolver: resolves a handle to its DID.

Source: atproto Handle specification, "Handle Resolution". DNS and HTTPS are queried in parallel, and DNS takes
precedence. Everything shown to people goes through ``identities``, because a handle belongs to an account only if the
DID's document also claims it.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from at_network.did_resolver import DidResolver
from at_network.identity_resolver import IdentityResolver
from at_network.lookup_cache import Lifetimes, LookupCache
from at_network.txt_records import Dns
from at_protocol.failures import Malformed
from at_protocol.identity.handle_claim import (
    MAX_BODY_BYTES,
    did_from_body,
    did_from_txt,
    dns_name,
    well_known_url,
)
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import INVALID, Handle, reserved_domain
from groundwork.clock import Clock
from groundwork.errors import Failure, NotFound, RemoteFailed
from groundwork.http.client import HttpClient, ResponseTooLarge
from groundwork.http.reach import AddressRefused

TIMEOUT_SECONDS = 3.0
MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class HandleSettings:
    """Settings of the handle resolver.

    ``through_pds`` lists servers that are asked for any handle before DNS, for development networks without DNS names.
    """

    is_development: bool = False
    through_pds: tuple[str, ...] = ()
    lifetimes: Lifetimes = field(default_factory=lambda: Lifetimes(fresh_seconds=600))
    max_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HandleLookups:
    """The DID of a handle as found by DNS and by HTTPS.

    Each is the DID, None if there is no record, or the failure that prevented the look-up.
    """

    by_dns: Did | Failure | None
    by_https: Did | Failure | None


class HandleResolver:
    """Resolves handles. Open one per program; ``close`` it before the DID resolver and the HTTP client."""

    def __init__(
        self, http: HttpClient, dids: DidResolver, clock: Clock, settings: HandleSettings, *, dns: Dns | None = None
    ) -> None:
        self._http = http
        self._settings = settings
        self._dns = dns or Dns()
        self._cache: LookupCache[Handle, Did] = LookupCache(
            self._fetch,
            clock,
            host_of=lambda handle: handle.split(".", 1)[1],
            lifetimes=settings.lifetimes,
            max_bytes=settings.max_bytes,
        )
        self.identities = IdentityResolver(
            resolve_did=dids.resolve,
            refresh_did=dids.refresh,
            resolve_handle=self.resolve,
            refresh_handle=self.refresh,
            recheck_did=dids.recheck,
        )

    async def resolve(self, handle: Handle) -> Did:
        """Return the DID that a handle resolves to. Unverified: the DID document might not claim the handle.

        Raises NotFound (``HandleNotFound``), and RemoteFailed or RemoteSlow if the DID cannot be determined.
        """
        self._check(handle)
        return await self._cache.get(handle)

    async def refresh(self, handle: Handle) -> Did:
        """Do the same as ``resolve``, bypassing the cache within the limits for forced refreshes."""
        self._check(handle)
        return await self._cache.refresh(handle)

    def recheck(self, handle: Handle) -> None:
        """Revalidate the handle before its next use."""
        self._cache.recheck(handle)

    async def look_up_both_ways(self, handle: Handle) -> HandleLookups:
        """Resolve a handle by DNS and by HTTPS and report each result, for someone who is setting one of them up."""
        if reserved_domain(handle, allow_test=False):
            return HandleLookups(None, None)
        by_https = asyncio.create_task(_value_or_failure(self._from_https(handle)))
        try:
            return HandleLookups(await _value_or_failure(self._from_dns(handle)), await by_https)
        finally:
            by_https.cancel()

    async def close(self) -> None:
        await self._cache.close()

    def _check(self, handle: Handle) -> None:
        if handle == INVALID or reserved_domain(handle, allow_test=self._settings.is_development):
            raise NotFound(f"No account can be called {handle}.", name="HandleNotFound")

    async def _fetch(self, handle: Handle) -> Did:
        for pds in self._settings.through_pds:
            did = await self._from_pds(pds, handle)
            if did is not None:
                return did
        if handle.endswith(".test"):  # no name server knows that domain (RFC 6761)
            raise _unknown_handle(handle)
        https_lookup = asyncio.create_task(_value_or_failure(self._from_https(handle)))
        try:
            by_dns = await _value_or_failure(self._from_dns(handle))
            # DNS is final if it returns a DID or contradictory records (NotFound). HTTPS cannot correct the latter.
            by_https = None if isinstance(by_dns, str | NotFound) else await https_lookup
        finally:
            https_lookup.cancel()
        for outcome in (by_dns, by_https):
            if isinstance(outcome, str):
                return outcome
        raise next((failure for failure in (by_dns, by_https) if isinstance(failure, Failure)), _unknown_handle(handle))

    async def _from_pds(self, pds: str, handle: Handle) -> Did | None:
        url = f"{pds.rstrip('/')}/xrpc/com.atproto.identity.resolveHandle?handle={handle}"
        response = await self._http.get(url, timeout_seconds=TIMEOUT_SECONDS)
        if not response.is_ok:
            return None
        body = response.json()
        try:
            return parse_did(body["did"])
        except (Malformed, KeyError, TypeError):
            raise RemoteFailed(f"{pds} did not return a DID.") from None

    async def _from_dns(self, handle: Handle) -> Did | None:
        name = dns_name(handle)
        if name is None:
            return None
        try:
            return did_from_txt(await self._dns.txt(name))
        except Malformed as failure:
            raise NotFound(
                f"The domain of {handle} does not point to an account: {failure.why}.", name="HandleNotFound"
            ) from None

    async def _from_https(self, handle: Handle) -> Did | None:
        try:
            response = await self._http.get(
                well_known_url(handle),
                timeout_seconds=TIMEOUT_SECONDS,
                max_bytes=MAX_BODY_BYTES,
                redirects=MAX_REDIRECTS,
            )
        except AddressRefused:
            return None  # a name that resolves to a private network is not a handle
        except ResponseTooLarge as page:
            if page.status is not None and page.status < 500:
                return None  # a page, with status 404 or, as many hosts send it for every path, with 200
            raise
        except RemoteFailed as failure:
            # A domain without any address is an answer (no record). A host that is down is a failure.
            if failure.status is None and not await self._dns.has_address(handle):
                return None
            raise
        if response.status >= 500:
            raise RemoteFailed(f"{handle} answered with status {response.status}.", status=response.status)
        if not response.is_ok:
            return None
        try:
            return did_from_body(response.body)
        except Malformed:
            return None  # a short page


def _unknown_handle(handle: Handle) -> NotFound:
    return NotFound(f"No account has the handle {handle}.", name="HandleNotFound")


async def _value_or_failure(lookup: Awaitable[Did | None]) -> Did | Failure | None:
    """Return the result or the failure as a value, so that a failure of one method does not hide the answer of the
    other.
    """
    try:
        return await lookup
    except Failure as failure:
        return failure
