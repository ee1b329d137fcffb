"""Each configured community gets what the consumer reads. A new community also gets what was read earlier, and every
community gets the older records of a new collection.
"""

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.outbox import jobs
from openmeet.network.firehose import delivery, tenant_interests
from openmeet.network.firehose.tenant_interests import default_interests
from openmeet.outbox.kinds import JobKind
from openmeet.tenants.configured import Tenant
from tests.databases import MakeDatabase

FOLLOWED, BY_LINES = "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:plc:44ybard66vv44zksje25o7dz"

VERIFIED = """
    insert into verified_repositories (did, rev, data, is_active, status, updated_at) values (:did, 'r', 'd', 1, '', 1)
"""


async def hearing(make_database: MakeDatabase) -> tuple[Database, Tenant, Tenant]:
    """An installation whose default community has already seen two authors, and a new community."""
    installation = await make_database("openmeet.network.firehose")
    town = Tenant("default", await make_database("openmeet"))
    village = Tenant("village", await make_database("openmeet"))
    await delivery.ensure_default_interests(installation, [town])
    async with installation.transaction() as tx:
        await tx.execute(VERIFIED, did=FOLLOWED)
        await tenant_interests.add(tx, [("default", "did", BY_LINES)])
    return installation, town, village


async def queued(tenant: Tenant) -> list[str]:
    async with tenant.database.reader() as reader:
        found = [await jobs.find(reader, JobKind.BACKFILL, did) for did in (BY_LINES, FOLLOWED)]
    return [one.subject for one in found if one is not None]


async def test_a_new_community_receives_what_others_heard(make_database: MakeDatabase, clock: HandClock):
    """Every author known to the installation is read once for the new community. Adding it enqueues nothing for the
    other communities.
    """
    installation, town, village = await hearing(make_database)
    interests = await delivery.ensure_default_interests(installation, [town, village])
    assert await queued(village) == [BY_LINES, FOLLOWED]
    assert await queued(town) == []
    (first, *_) = default_interests("village")
    assert interests.tenants_for("did:plc:anybody", first[2]) == {"default", "village"}
    before = await reading_since(village)
    clock.turn(60_000_000)
    await delivery.ensure_default_interests(installation, [town, village])
    assert await reading_since(village) == before


async def reading_since(tenant: Tenant) -> int:
    async with tenant.database.reader() as reader:
        found = await jobs.find(reader, JobKind.BACKFILL, FOLLOWED)
    assert found is not None
    return found.revision


async def test_a_community_that_was_removed_is_new_when_it_returns(make_database: MakeDatabase, clock: HandClock):
    """While the community was not configured, no messages were stored for it, so it is treated as new."""
    installation, town, village = await hearing(make_database)
    await delivery.ensure_default_interests(installation, [town, village])
    before = await reading_since(village)
    alone = await delivery.ensure_default_interests(installation, [town])
    assert alone.all_tenants == {"default"}
    clock.turn(60_000_000)
    await delivery.ensure_default_interests(installation, [town, village])
    assert await reading_since(village) > before


async def test_a_collection_that_an_update_added_is_read_once_in_known_repositories(
    make_database: MakeDatabase, clock: HandClock
):
    """The first start after the update enqueues a read of every known repository; later starts enqueue nothing."""
    installation, town, village = await hearing(make_database)
    await delivery.ensure_default_interests(installation, [town, village])
    before = await reading_since(village)
    (*_, (tenant, kind, added)) = default_interests("default")
    # The version before the update did not know the collection.
    async with installation.transaction() as tx:
        await tx.execute(tenant_interests.REMOVE, tenant=tenant, kind=kind, value=added)
    clock.turn(60_000_000)
    interests = await delivery.ensure_default_interests(installation, [town, village])
    assert interests.tenants_for("did:plc:anybody", added) == {"default", "village"}
    assert await queued(town) == [BY_LINES, FOLLOWED]
    assert await reading_since(village) == before
    first = await reading_since(town)
    clock.turn(60_000_000)
    await delivery.ensure_default_interests(installation, [town, village])
    assert await reading_since(town) == first
