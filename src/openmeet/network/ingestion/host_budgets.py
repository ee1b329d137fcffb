"""How often single records are asked of one server: a budget per host and minute, shared by all programs and communities.

Who answers events in thousands decides how often we ask, and whom; the server that is asked must not suffer for it. What is
over the budget waits as due later (``TooMany``), and what is owed of other hosts goes before it.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from at_protocol.syntax.did import Did
from groundwork.clock import Clock
from groundwork.rate_limit.contract import Counters, Limit, spend
from openmeet.network.repositories.clients import NetworkClients

# Half of what the reference PDS serves to one address (3000 in five minutes); the rest is for whole reads and for writing.
PER_HOST: Final = Limit("records_asked_of_host", 300, 60)

# Counts one request to a host. Raises TooMany where its budget is used up.
SpendOnHost = Callable[[str], Awaitable[None]]


async def unlimited(_host: str) -> None:
    """For hosts that are our own, as in a test."""


def spending(counters: Counters, clock: Clock, limit: Limit = PER_HOST) -> SpendOnHost:
    """Counting against ``limit``."""

    async def spend_on(host: str) -> None:
        await spend(counters, [(limit, host)], now=clock.now())

    return spend_on


async def spend_on_home(network: NetworkClients, spend_on_host: SpendOnHost, did: Did) -> None:
    """Count one request to the PDS of this account, where it has one.

    Raises TooMany, what resolving raises (NotFound, InvalidInput, RemoteFailed, RemoteSlow), and nothing for who names no PDS:
    nobody is asked then.
    """
    document = await network.dids.resolve(did)
    if document.pds is not None:
        await spend_on_host(urlsplit(document.pds).hostname or document.pds)
