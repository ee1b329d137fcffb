"""Rate limit of all requests by address, in windows of five minutes. It is charged before anything else is done, also
before it is known whether the credentials of a request are valid.
"""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from starlette.requests import HTTPConnection

from aurora_locus.accounts.limits import GET_REPO, of_address, widen
from aurora_locus.accounts.sign_in_source import SignInSource, source_of
from aurora_locus.settings import PdsSettings
from groundwork.clock import Clock
from groundwork.http.addresses import network_of
from groundwork.rate_limit.contract import Counters, Limit, LimitState, headers_of, spend
from groundwork.rate_limit.open_ import EMBEDDED, open_counters
from groundwork.settings import Secret

ADDRESS = Limit("address", 3000, 5 * 60)
# Proxied calls per account: enough for a whole household, and far more than one person makes.
PASSED_ON = Limit("passed_on", 3000, 5 * 60)

# Opening a stream costs about twenty queries. Reopening all streams of an address at once is fine
# (``STREAMS_OF_AN_ADDRESS``).
STREAM_OPENINGS = Limit("stream_openings", 600, 5 * 60)

# Repository downloads count against their own limit instead.
_OWN_LIMITS = dict.fromkeys(("com.atproto.sync.getRepo", "com.atproto.sync.getCheckout"), GET_REPO)

_BYPASS = b"x-ratelimit-bypass"

# Services that sign people in are counted like all other clients. Otherwise they could guess passwords.
PROVES_PASSWORD = frozenset(
    f"com.atproto.server.{name}" for name in ("createSession", "deleteAccount", "resetPassword")
)
# After these calls, the address of the caller is a known source.
SIGNS_IN = PROVES_PASSWORD | {"com.atproto.server.createAccount"}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Parsing an address costs as much as counting it, and the same few addresses call again and again.
network_of_caller = lru_cache(8192)(network_of)


@dataclass(slots=True)
class Allowance:
    """The rate limits that one request has counted against so far. Nothing is refused if limits are off."""

    is_counted: bool = True
    limit_states: list[LimitState] = field(default_factory=list)

    @property
    def headers(self) -> Mapping[str, str]:
        """The ``RateLimit-*`` headers of the tightest limit."""
        if not self.limit_states:
            return {}
        return headers_of(min(self.limit_states, key=lambda one: (one.remaining, -one.resets_at)))


@dataclass(frozen=True, slots=True)
class Gate:
    """Rate limit counters of one server. Without ``is_counting`` there are no limits; ``bypass_key`` and
    ``bypass_networks`` exempt some callers.
    """

    counters: Counters
    clock: Clock
    is_counting: bool = True
    has_wide_limits: bool = False
    bypass_key: Secret = Secret("")  # noqa: RUF009 - a value that never changes
    bypass_networks: Sequence[Network] = ()
    shares_private_addresses: bool = False

    async def enter(self, nsid: str, headers: Mapping[bytes, bytes], peer: str, visitor: str = "") -> Allowance:
        """Count a request of a peer, or of the client on whose behalf it calls. Raises RateLimited."""
        if not self.is_counting or (not _proves_password(nsid, headers) and self._is_let_pass(headers, peer)):
            return Allowance(is_counted=False)
        allowance = Allowance()
        await self._count(allowance, _OWN_LIMITS.get(nsid, ADDRESS), visitor or peer)
        return allowance

    async def open_stream(self, headers: Iterable[tuple[bytes, bytes]], peer: str) -> None:
        """Count the opening of a stream. Raises RateLimited."""
        if self.is_counting and not self._is_let_pass(dict(headers), peer):
            await self._count(Allowance(), STREAM_OPENINGS, peer)

    def source_of(self, connection: HTTPConnection) -> SignInSource:
        """Return the client to count: the client that one of our own services names, otherwise the peer."""
        return source_of(connection, key=self.bypass_key)

    async def spend(self, allowance: Allowance, charges: Sequence[tuple[Limit, str]], points: int = 1) -> None:
        """Count a request against further limits. Raises RateLimited."""
        if not allowance.is_counted:
            return
        if self.has_wide_limits:
            charges = [(widen(limit), key) for limit, key in charges]
        allowance.limit_states.append(await spend(self.counters, charges, now=self.clock.now(), points=points))

    async def _count(self, allowance: Allowance, limit: Limit, address: str) -> None:
        limit = of_address(limit, address, is_shared=self.shares_private_addresses)
        await self.spend(allowance, [(limit, network_of_caller(address))])

    def _is_let_pass(self, headers: Mapping[bytes, bytes], peer: str) -> bool:
        sent = headers.get(_BYPASS)
        if sent is not None and self.bypass_key and hmac.compare_digest(sent, self.bypass_key.reveal().encode()):
            return True
        if not self.bypass_networks:
            return False
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self.bypass_networks)


def _proves_password(nsid: str, headers: Mapping[bytes, bytes]) -> bool:
    return nsid in PROVES_PASSWORD or headers.get(b"authorization", b"")[:6].lower() == b"basic "


def open_configured_counters(settings: PdsSettings) -> Counters:
    """Open the counters: in this process, or in a Redis that several processes share. Raises Refused."""
    address = settings.redis_scratch_address
    if not address:
        return open_counters(EMBEDDED, prefix="")
    password = settings.redis_scratch_password.reveal()
    credentials = f":{quote(password, safe='')}@" if password else ""
    return open_counters(f"redis://{credentials}{address}", prefix=f"{settings.hostname}:rate")


def build_gate(settings: PdsSettings, counters: Counters, clock: Clock) -> Gate:
    """Build the gate as configured."""
    return Gate(
        counters,
        clock,
        is_counting=settings.counts_requests,
        has_wide_limits=settings.has_wide_limits,
        shares_private_addresses=settings.shares_private_addresses,
        bypass_key=settings.rate_limit_bypass_key,
        bypass_networks=tuple(ipaddress.ip_network(one, strict=False) for one in settings.rate_limit_bypass_ips),
    )
