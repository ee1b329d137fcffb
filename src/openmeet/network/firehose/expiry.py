"""Stop following DIDs that no tenant's database refers to. Each round checks all of them, page by page.

A DID is followed from its first calendar record on, with every commit that it writes, because a chain of commits must
not have gaps. Once its records are gone and no tenant refers to it, only its next calendar record matters, and that
record is selected by its collection. While a tenant's database is unreachable, nothing expires, because that database
may refer to any DID.
"""

import asyncio
import contextlib
from collections.abc import Collection, Sequence

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Unavailable
from groundwork.telemetry.logs import log
from openmeet.network.firehose.sources import Interests
from openmeet.network.records.repository_state import referred_to

# Messages of a commit that was just verified may still be in a queue.
KEPT_FOR = 7 * DAY
PAGE = 500
ROUND_SECONDS = 6 * 3600.0

_PAGE_OF = """
    select did from verified_repositories where updated_at < :before and did > :after
    union
    select value as did from interests where kind = 'did' and seen_at < :before and value > :after
     order by did limit :limit
"""
_EXPIRE_REPOSITORIES = """
    delete from verified_repositories where did in :dids and updated_at < :before returning did
"""
_EXPIRE_INTERESTS = """
    delete from interests where kind = 'did' and value in :dids and seen_at < :before returning tenant, value as did
"""


async def run_expiry(
    installation: Database, communities: Sequence[Database], interests: Interests, stop: asyncio.Event
) -> None:
    """Stop following DIDs that nothing refers to, every six hours until ``stop`` is set."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), ROUND_SECONDS)
            return
        try:
            await expire(installation, communities, interests)
        except Unavailable as away:
            log.warning("following.expiry_waits", reason=away.why)


async def expire(installation: Database, communities: Sequence[Database], interests: Interests) -> int:
    """Stop following DIDs that nothing refers to; return how many. Raises Unavailable if a database is unreachable."""
    after, expired = "", 0
    while True:
        async with installation.reader() as reader:
            before = Instant(reader.now - KEPT_FOR)
            page = await _page(reader, before, after)
        referred: set[str] = set()
        for community in communities:
            async with community.reader() as reader:
                referred |= await referred_to(reader, page)
        unreferred = [did for did in page if did not in referred]
        if unreferred:
            # Only what has not been seen since the page was read.
            async with installation.transaction() as tx:
                repositories = await tx.fetch(_EXPIRE_REPOSITORIES, dids=unreferred, before=before)
                pairs = await tx.fetch(_EXPIRE_INTERESTS, dids=unreferred, before=before)
            _forget(interests, {row["did"] for row in repositories}, {(row["tenant"], row["did"]) for row in pairs})
            expired += len({row["did"] for row in (*repositories, *pairs)})
        if len(page) < PAGE:
            break
        after = page[-1]
    if expired:
        log.info("following.expired", repositories=expired)
    return expired


async def _page(reader: Reader, before: Instant, after: str) -> list[str]:
    return [row["did"] for row in await reader.fetch(_PAGE_OF, before=before, after=after, limit=PAGE)]


def _forget(interests: Interests, repositories: Collection[str], pairs: Collection[tuple[str, str]]) -> None:
    """Apply what has expired to the interests in memory. ``pairs``: interests, each a pair of tenant and DID."""
    interests.followed.difference_update(repositories)
    left = {
        did: frozenset(one for one in tenants if (one, did) not in pairs) for did, tenants in interests.dids.items()
    }
    interests.dids = {did: tenants for did, tenants in left.items() if tenants}
