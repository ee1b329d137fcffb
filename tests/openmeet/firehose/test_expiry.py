"""A repository that no community refers to is no longer followed. Known and recently seen ones stay."""

from collections.abc import Sequence

import pytest

from groundwork.clock import DAY
from groundwork.database.transaction import Database, Reader
from openmeet.network.firehose import tenant_interests
from openmeet.network.firehose.tenant_interests import FOLLOWED_FOR, expire
from openmeet.network.records.seen import referred_to
from tests.databases import MakeDatabase
from tests.openmeet.firehose.conftest import TENANT, Bench
from tests.openmeet.ingestion.network import deletion_of, did, event
from tests.openmeet.ingestion.view import apply_messages

_VERIFIED = """
    insert into verified_repositories (did, rev, data, is_active, status, source, updated_at)
    values (:did, '3l3qo2vutsw2b', 'bafy', 1, '', '', :now)
"""


@pytest.fixture
async def community(bench: Bench, make_sqlite: MakeDatabase) -> Database:
    """A community with an event by author 1 and a deleted one by author 2. Authors 1 to 3 are followed; 1 and 4 are
    also interests by DID.
    """
    found = await make_sqlite("openmeet", clock=bench.clock)
    theirs = event(2, "gone", 1)
    await apply_messages(found, event(1, "tea", 1), theirs, deletion_of(theirs, 2))
    async with bench.db.transaction() as tx:
        for number in (1, 2, 3):
            await tx.execute(_VERIFIED, did=did(number), now=tx.now)
        await tenant_interests.add(tx, [(TENANT, "did", did(number)) for number in (1, 4)])
    return found


async def followed(bench: Bench) -> set[str]:
    async with bench.db.reader() as reader:
        known = await tenant_interests.load(reader)
    return known.followed | set(known.dids)


async def test_only_referenced_repositories_stay_followed(bench: Bench, community: Database):
    async with bench.db.reader() as reader:
        known = await tenant_interests.load(reader)
    assert await expire(bench.db, [community], known) == 0, "the accounts were seen recently"
    bench.clock.turn(FOLLOWED_FOR + DAY)
    assert await expire(bench.db, [community], known) == 3
    assert await followed(bench) == {did(1)}
    assert known.followed | set(known.dids) == {did(1)}, "the running consumer has the change"


async def test_an_author_seen_meanwhile_stays(bench: Bench, community: Database, monkeypatch: pytest.MonkeyPatch):
    """Authors 3 and 4 write after the page of candidates was read, before they are deleted."""
    async with bench.db.transaction() as tx:
        await tenant_interests.add(tx, [("other", "did", did(4))])
    async with bench.db.reader() as reader:
        known = await tenant_interests.load(reader)
    bench.clock.turn(FOLLOWED_FOR + DAY)

    async def write_and_read(reader: Reader, dids: Sequence[str]) -> set[str]:
        async with bench.db.transaction() as tx:
            await tx.execute(
                "update verified_repositories set updated_at = :now where did = :did", now=tx.now, did=did(3)
            )
            await tenant_interests.note_seen(tx, ["other"], [did(4)])
        return await referred_to(reader, dids)

    monkeypatch.setattr(tenant_interests, "referred_to", write_and_read)
    assert await expire(bench.db, [community], known) == 2
    assert await followed(bench) == {did(number) for number in (1, 3, 4)}
    assert (known.followed, set(known.dids)) == ({did(1), did(3)}, {did(1), did(4)})
    assert known.tenants_for(did(4), "") == {"other"}, "the other tenant has not seen the author"


async def test_a_reference_in_any_community_is_enough(bench: Bench, community: Database, make_sqlite: MakeDatabase):
    """A row in any community is enough: another community has an event by author 3."""
    other = await make_sqlite("openmeet", clock=bench.clock)
    await apply_messages(other, event(3, "tea", 1))
    bench.clock.turn(FOLLOWED_FOR + DAY)
    async with bench.db.reader() as reader:
        known = await tenant_interests.load(reader)
    await expire(bench.db, [community, other], known)
    assert await followed(bench) == {did(1), did(3)}


async def test_nobody_expires_while_a_community_is_unreachable(bench: Bench, community: Database):
    """If a community's database is unavailable, it might refer to any author."""
    bench.clock.turn(FOLLOWED_FOR + DAY)
    async with bench.db.reader() as reader:
        known = await tenant_interests.load(reader)
    await community.close()
    with pytest.raises(Exception):  # noqa: B017, PT011 - what a closed database raises is its driver's
        await expire(bench.db, [community], known)
    assert await followed(bench) == {did(number) for number in (1, 2, 3, 4)}
