"""Request budgets per server and per repository and minute for individual records, shared by all programs and tenants.

Somebody who writes thousands of RSVPs could otherwise make us call a server of their choice that often. Requests over
the budget are due later (``TooMany``), and jobs for other servers go first.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from at_protocol.syntax.did import Did
from groundwork.clock import Clock
from groundwork.errors import TooMany
from groundwork.rate_limit.contract import Counters, Limit, spend
from openmeet.network.repositories.clients import NetworkClients

# Half of what the reference PDS allows one address (3000 in five minutes). The rest is for repository reads and writes.
PER_SERVER: Final = Limit("records_asked_of_server", 300, 60)

# How many of these may be proofs of records of one repository, because unsigned data contradict them. Otherwise a few
# accounts could use up the budget of a server on which many others live.
PROOFS_PER_REPOSITORY: Final = Limit("proofs_asked_of_repository", 60, 60)

# Counts one request to a server. Raises TooMany if its budget is spent.
SpendOnServer = Callable[[str], Awaitable[None]]
# Counts one proof of a record of the given repository on the given server. Raises TooMany if one of the budgets is spent;
# then nothing is counted.
SpendOnProof = Callable[[str, str], Awaitable[None]]


async def unlimited(*_names: str) -> None:
    """No limit: for our own servers, and for tests."""


def spending(counters: Counters, clock: Clock, limit: Limit = PER_SERVER) -> SpendOnServer:
    """Return a budget that counts requests per server against ``limit``."""

    async def spend_on(server: str) -> None:
        await spend(counters, [(limit, server)], now=clock.now())

    return spend_on


def spending_on_proofs(
    counters: Counters, clock: Clock, per_server: Limit = PER_SERVER, per_repository: Limit = PROOFS_PER_REPOSITORY
) -> SpendOnProof:
    """Return a budget that counts proofs against both limits."""

    async def spend_on(did: str, server: str) -> None:
        now = clock.now()
        await spend(counters, [(per_repository, did)], now=now)
        try:
            await spend(counters, [(per_server, server)], now=now)
        except TooMany:
            # No request is made. Retries would otherwise use up the repository's budget while its server is busy.
            await counters.add(per_repository, did, -1, now)
            raise

    return spend_on


async def spend_on_pds(network: NetworkClients, spend_on_server: SpendOnServer, did: Did) -> None:
    """Count one request to the account's PDS.

    Raises TooMany, and the errors of resolving (NotFound, InvalidInput, RemoteFailed, RemoteSlow). Does nothing if the
    account has no PDS, because then no request is made.
    """
    document = await network.dids.resolve(did)
    if document.pds is not None:
        await spend_on_server(urlsplit(document.pds).hostname or document.pds)
