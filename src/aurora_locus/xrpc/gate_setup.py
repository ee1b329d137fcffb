"""Set-up of rate limiting from the settings."""

import ipaddress
from urllib.parse import quote

from aurora_locus.settings import PdsSettings
from aurora_locus.xrpc.gate import Gate
from groundwork.clock import Clock
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.open_ import EMBEDDED, open_counters


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
