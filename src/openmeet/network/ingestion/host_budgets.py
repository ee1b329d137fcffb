"""Request budget per host and minute for single records, shared by all programs and tenants.

Somebody who writes RSVPs in thousands decides how often we call which server; that server must not suffer for it.
Requests over the budget are due later (``TooMany``), and jobs for other hosts go first.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from at_protocol.syntax.did import Did
from groundwork.clock import Clock
from groundwork.rate_limit.contract import Counters, Limit, spend
from openmeet.network.repositories.clients import NetworkClients

# Half of what the reference PDS serves to one address (3000 in five minutes); the rest is for repository reads and
# writes.
PER_HOST: Final = Limit("records_asked_of_host", 300, 60)

# Counts one request to a host. Raises TooMany if its budget is spent.
SpendOnHost = Callable[[str], Awaitable[None]]


async def unlimited(_host: str) -> None:
    """The budget without a limit: for our own hosts, and for tests."""


def spending(counters: Counters, clock: Clock, limit: Limit = PER_HOST) -> SpendOnHost:
    """The budget that counts requests by host against ``limit``."""

    async def spend_on(host: str) -> None:
        await spend(counters, [(limit, host)], now=clock.now())

    return spend_on


async def spend_on_home(network: NetworkClients, spend_on_host: SpendOnHost, did: Did) -> None:
    """Count one request to the PDS of this account, if it has one.

    Raises TooMany, and what resolving raises (NotFound, InvalidInput, RemoteFailed, RemoteSlow); nothing if there is no
    PDS: then no request is made.
    """
    document = await network.dids.resolve(did)
    if document.pds is not None:
        await spend_on_host(urlsplit(document.pds).hostname or document.pds)
