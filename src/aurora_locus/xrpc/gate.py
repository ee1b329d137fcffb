"""Every request passes here first: so many of one address in five minutes, unless the operator lets it pass uncounted.

What a request spends, here and in the methods that count more closely, is told with its answer, whatever that is: the
tightest standing of all.
"""

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from aurora_locus.accounts.limits import network_of, widened
from groundwork.clock import Clock
from groundwork.rate_limit.contract import Counters, Limit, Standing, headers_of, spend
from groundwork.settings import Secret

ADDRESS = Limit("address", 3000, 5 * 60)
# What one account may have passed on to other services: as much as a whole household, a person never comes near it.
PASSED_ON = Limit("passed_on", 3000, 5 * 60)

# Repositories are fetched at a pace of their own, which their methods count.
_OWN_PACE = frozenset({"com.atproto.sync.getRepo", "com.atproto.sync.getCheckout"})

_BYPASS = b"x-ratelimit-bypass"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Parsing an address costs as much as counting it; the same few ask again and again.
_network_of = lru_cache(8192)(network_of)


@dataclass(slots=True)
class Allowance:
    """What one request has spent so far; nothing is refused where it is not counted."""

    is_counted: bool = True
    standings: list[Standing] = field(default_factory=list)

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
    is_development: bool = False
    bypass_key: Secret = Secret("")  # noqa: RUF009 - a value that never changes
    bypass_networks: Sequence[Network] = ()

    async def enter(self, nsid: str, headers: Mapping[bytes, bytes], peer: str) -> Allowance:
        """Count a request. Raises RateLimited."""
        if not self.is_counting or self._is_let_pass(headers, peer):
            return Allowance(is_counted=False)
        allowance = Allowance()
        if nsid not in _OWN_PACE:
            await self.spend(allowance, [(ADDRESS, _network_of(peer))])
        return allowance

    async def spend(self, allowance: Allowance, charges: Sequence[tuple[Limit, str]], points: int = 1) -> None:
        """Count more closely. Raises RateLimited."""
        if not allowance.is_counted:
            return
        if self.is_development:
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
