"""Every request passes here first: so many of one address in five minutes, unless the operator lets it pass uncounted.

What a request spends, here and in the methods that count more closely, is told with its answer, whatever that is: the
tightest standing of all.
"""

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.requests import HTTPConnection

from aurora_locus.accounts.limits import network_of, of_address, widened
from aurora_locus.accounts.sign_in_source import SignInSource, source_of
from groundwork.clock import Clock
from groundwork.rate_limit.contract import Counters, Limit, LimitState, headers_of, spend
from groundwork.settings import Secret

ADDRESS = Limit("address", 3000, 5 * 60)
# What one account may have passed on to other services: as much as a whole household, a person never comes near it.
PASSED_ON = Limit("passed_on", 3000, 5 * 60)

# Repositories are fetched at a pace of their own, which their methods count.
_OWN_PACE = frozenset({"com.atproto.sync.getRepo", "com.atproto.sync.getCheckout"})

_BYPASS = b"x-ratelimit-bypass"

# Whoever lets people sign in through them is counted here like everybody: else they would be let guess.
PROVES_PASSWORD = frozenset(
    f"com.atproto.server.{name}" for name in ("createSession", "deleteAccount", "resetPassword")
)
# After these their caller is known at the place from which they came.
SIGNS_IN = PROVES_PASSWORD | {"com.atproto.server.createAccount"}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Parsing an address costs as much as counting it; the same few ask again and again.
_network_of = lru_cache(8192)(network_of)


@dataclass(slots=True)
class Allowance:
    """What one request has spent so far; nothing is refused where it is not counted."""

    is_counted: bool = True
    standings: list[LimitState] = field(default_factory=list)

    @property
    def headers(self) -> Mapping[str, str]:
        """``RateLimit-*`` of the tightest standing."""
        if not self.standings:
            return {}
        return headers_of(min(self.standings, key=lambda one: (one.remaining, -one.resets_at)))


@dataclass(frozen=True, slots=True)
class Gate:
    """Counts for one server. ``is_counting`` off lets everybody pass; ``bypass_key`` and ``bypass_networks`` let some."""

    counters: Counters
    clock: Clock
    is_counting: bool = True
    has_wide_limits: bool = False
    bypass_key: Secret = Secret("")  # noqa: RUF009 - a value that never changes
    bypass_networks: Sequence[Network] = ()
    shares_private_addresses: bool = False

    async def enter(self, nsid: str, headers: Mapping[bytes, bytes], peer: str, visitor: str = "") -> Allowance:
        """Count a request of a peer, or of the visitor for whom it asks. Raises RateLimited."""
        if not self.is_counting or (not _proves_password(nsid, headers) and self._is_let_pass(headers, peer)):
            return Allowance(is_counted=False)
        allowance = Allowance()
        if nsid not in _OWN_PACE:
            address = visitor or peer
            limit = of_address(ADDRESS, address, is_shared=self.shares_private_addresses)
            await self.spend(allowance, [(limit, _network_of(address))])
        return allowance

    def source_of(self, connection: HTTPConnection) -> SignInSource:
        """Whom a request is counted as: the visitor whom one of our own services names, or whoever sent it."""
        return source_of(connection, key=self.bypass_key)

    async def spend(self, allowance: Allowance, charges: Sequence[tuple[Limit, str]], points: int = 1) -> None:
        """Count more closely. Raises RateLimited."""
        if not allowance.is_counted:
            return
        if self.has_wide_limits:
            charges = [(widened(limit), key) for limit, key in charges]
        allowance.standings.append(await spend(self.counters, charges, now=self.clock.now(), points=points))

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
