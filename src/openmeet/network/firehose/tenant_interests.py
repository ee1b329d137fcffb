"""Interests of tenants: which frames concern which tenant, decided before anything is decoded or verified.

A tenant is interested in collections and in individual DIDs. A DID is followed from its first calendar record on, with
every commit that it writes, because a chain of commits can only be checked without gaps. Once its records are gone and
no tenant's database refers to it, the interest expires: only its next calendar record matters then, and that record is
selected by its collection. While a tenant's database is unreachable, nothing expires, because that database may refer to
any DID.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from at_protocol.sync.frames import FrameSummary
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Unavailable
from groundwork.telemetry.logs import log
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.seen import referred_to

LIST = "select tenant, kind, value from interests order by tenant, kind, value"

ADD = """
    insert into interests (tenant, kind, value, seen_at) values (:tenant, :kind, :value, :now)
        on conflict (tenant, kind, value) do nothing
"""

# The tenants are named because the primary key begins with them.
NOTE_SEEN = """
    update interests set seen_at = :now
     where tenant in :tenants and kind = 'did' and value in :dids and seen_at < :before
"""

TENANTS = "select distinct tenant from interests order by tenant"

FORGET = "delete from interests where tenant = :tenant"

REMOVE = "delete from interests where tenant = :tenant and kind = :kind and value = :value"


@dataclass(slots=True)
class Interests:
    """The interests of all tenants, in memory. ``followed``: DIDs with at least one verified commit."""

    collections: Mapping[str, frozenset[str]]
    dids: Mapping[str, frozenset[str]]
    followed: set[str] = field(default_factory=set)

    def matches(self, seen: FrameSummary) -> bool:
        """Whether any tenant wants this frame."""
        if seen.did in self.followed or seen.did in self.dids:
            return True
        return any(path.partition("/")[0] in self.collections for path in seen.paths)

    def tenants_for(self, did: str, collection: str) -> frozenset[str]:
        """Return the tenants that receive records of this author in this collection."""
        return self.collections.get(collection, frozenset()) | self.dids.get(did, frozenset())

    @property
    def all_tenants(self) -> frozenset[str]:
        """Return all tenants with any interest; they receive the hints about followed DIDs."""
        return frozenset().union(*self.collections.values(), *self.dids.values())

    @property
    def tenants_with_all_records(self) -> frozenset[str]:
        """Return the tenants that receive all calendar records, as stored by ``delivery.ensure_default_interests``.
        Interests in individual authors do not count. After an update that adds a collection, no tenant has all of them.
        """
        return frozenset.intersection(*(self.collections.get(one, frozenset()) for one in CONCERNING))

    def subscribe_to_all_records(self, tenant: str) -> None:
        """Send the tenant all calendar records in this process from now on. The caller stores the interest."""
        collections = {collection for _, _, collection in default_interests(tenant)}
        self.collections = {
            one: self.collections.get(one, frozenset()) | ({tenant} if one in collections else frozenset())
            for one in {*self.collections, *collections}
        }


def interests_of(rows: Iterable[tuple[str, str, str]], followed: Iterable[str] = ()) -> Interests:
    """Build the interests from stored rows (tenant, kind, value)."""
    tenants_by_interest: dict[str, dict[str, set[str]]] = {"collection": {}, "did": {}}
    for tenant, kind, value in rows:
        tenants_by_interest[kind].setdefault(value, set()).add(tenant)
    return Interests(
        {value: frozenset(tenants) for value, tenants in tenants_by_interest["collection"].items()},
        {value: frozenset(tenants) for value, tenants in tenants_by_interest["did"].items()},
        set(followed),
    )


def default_interests(tenant: str) -> list[tuple[str, str, str]]:
    """Return the default interests of a tenant: every calendar record of the network."""
    return [(tenant, "collection", str(collection)) for collection in sorted(CONCERNING)]


async def load(reader: Reader) -> Interests:
    """Load the stored interests of all tenants."""
    rows = await reader.fetch(LIST)
    followed = await reader.fetch("select did from verified_repositories order by did")
    return interests_of([(row["tenant"], row["kind"], row["value"]) for row in rows], [row["did"] for row in followed])


async def add(tx: Transaction, subscriptions: Iterable[tuple[str, str, str]]) -> None:
    """Add interests; existing ones are kept."""
    for tenant, kind, value in subscriptions:
        await tx.execute(ADD, tenant=tenant, kind=kind, value=value, now=tx.now)


async def note_seen(tx: Transaction, tenants: Collection[str], dids: Collection[str]) -> None:
    """Note that these authors have written a record. Written at most once a day per author."""
    if tenants and dids:
        await tx.execute(
            NOTE_SEEN, tenants=sorted(tenants), dids=sorted(dids), now=tx.now, before=Instant(tx.now - DAY)
        )


async def forget_others(tx: Transaction, tenants: Sequence[str]) -> None:
    """Delete the interests of all other tenants."""
    for row in await tx.fetch(TENANTS):
        if row["tenant"] not in tenants:
            await tx.execute(FORGET, tenant=row["tenant"])


# Messages of a commit that was just verified may still be in a queue.
FOLLOWED_FOR = 7 * DAY
_PAGE = 500
ROUND_SECONDS = 6 * 3600.0

_FOLLOWED_BEFORE = """
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
            async with asyncio.timeout(ROUND_SECONDS):
                await stop.wait()
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
            before = Instant(reader.now - FOLLOWED_FOR)
            page = await _page_of_followed(reader, before, after)
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
            _forget_expired(
                interests, {row["did"] for row in repositories}, {(row["tenant"], row["did"]) for row in pairs}
            )
            expired += len({row["did"] for row in (*repositories, *pairs)})
        if len(page) < _PAGE:
            break
        after = page[-1]
    if expired:
        log.info("following.expired", repositories=expired)
    return expired


async def _page_of_followed(reader: Reader, before: Instant, after: str) -> list[str]:
    return [row["did"] for row in await reader.fetch(_FOLLOWED_BEFORE, before=before, after=after, limit=_PAGE)]


def _forget_expired(interests: Interests, repositories: Collection[str], pairs: Collection[tuple[str, str]]) -> None:
    """Apply what has expired to the interests in memory. ``pairs``: interests, each a pair of tenant and DID."""
    interests.followed.difference_update(repositories)
    left = {
        did: frozenset(one for one in tenants if (one, did) not in pairs) for did, tenants in interests.dids.items()
    }
    interests.dids = {did: tenants for did, tenants in left.items() if tenants}
