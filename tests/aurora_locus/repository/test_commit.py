"""The write path: what is stored, refused and announced."""

import asyncio

import pytest

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import to_microseconds
from aurora_locus.repository import hosting, reader
from aurora_locus.repository.commit import recommit
from aurora_locus.repository.model import HostingStatus, WriteAction
from aurora_locus.repository.prepare import prepare_deletion
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Conflict, Failure, InvalidInput, NotFound, Refused
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository, messages, verify_log

OTHER = Cid.for_cbor(b"other")


async def blocks_of(db: Database, hosted: HostedRepository) -> set[Cid]:
    async with db.reader() as r:
        rows = await r.fetch("select cid from blocks where did = :did order by cid", did=hosted.did)
    return {Cid(row[0]) for row in rows}


async def test_record_is_stored_and_announced(db: Database, ada: HostedRepository, clock: HandClock):
    write = await ada.create("one", "first")
    stored = await reader.find_record(db, ada.did, NOTE, RecordKey("one"))
    assert stored is not None
    assert stored.cid == write.cid
    assert cbor.decode(stored.block) == {"$type": NOTE, "text": "first"}
    assert await verify_log(db, ada.did, ada.key.public, clock.now()) == {
        f"{NOTE}/one": {"$type": NOTE, "text": "first"}
    }


async def test_every_commit_of_a_long_history_verifies(db: Database, ada: HostedRepository, clock: HandClock):
    """Every commit of a long history verifies, with creations, updates and deletions in every position: each frame is
    inverted, and the chain is unbroken.
    """
    expected = {}
    for number in range(60):
        clock.turn(1000)
        await ada.create(f"k{number * 7919 % 60:02}", f"text {number}")
        expected[f"k{number * 7919 % 60:02}"] = f"text {number}"
        if number % 3 == 0:
            await ada.put(f"k{number * 7919 % 60:02}", "changed")
            expected[f"k{number * 7919 % 60:02}"] = "changed"
        if number % 4 == 1:
            await ada.delete(f"k{number * 7919 % 60:02}")
            del expected[f"k{number * 7919 % 60:02}"]
    records = await verify_log(db, ada.did, ada.key.public, clock.now())
    assert {path.split("/")[1]: record["text"] for path, record in records.items()} == expected


async def test_two_writers_of_one_repository_both_succeed(db: Database, ada: HostedRepository, clock: HandClock):
    """Two concurrent creations both succeed, with two commits whose revs increase."""
    await asyncio.gather(*(ada.create(f"r{number}") for number in range(20)))
    records = await verify_log(db, ada.did, ada.key.public, clock.now())
    assert len(records) == 20
    revs = [message.rev for message in await messages(db, ada.did) if hasattr(message, "operations")]
    assert revs == sorted(set(revs))


async def test_writers_of_many_repositories_at_once(db: Database, repositories: Repositories, clock: HandClock):
    people = [await HostedRepository.make(repositories, f"person{number}") for number in range(8)]
    await asyncio.gather(*(person.create(f"r{number}") for number in range(10) for person in people))
    for person in people:
        assert len(await verify_log(db, person.did, person.key.public, clock.now())) == 10
    numbers = [message.seq for message in await messages(db)]
    assert numbers == sorted(set(numbers))


async def test_failed_write_does_not_affect_others_in_its_transaction(
    db: Database, ada: HostedRepository, ben: HostedRepository, clock: HandClock
):
    """A write refused inside a shared transaction does not affect the others."""
    await ben.create("taken")

    async def refused() -> type[Failure]:
        with pytest.raises(InvalidInput):
            await ben.create("taken", "again")
        return InvalidInput

    await asyncio.gather(ada.create("a"), refused(), ada.create("b"), ben.create("c"))
    assert len(await verify_log(db, ada.did, ada.key.public, clock.now())) == 2
    assert len(await verify_log(db, ben.did, ben.key.public, clock.now())) == 2


async def test_rev_grows_when_the_clock_is_set_back(ada: HostedRepository, clock: HandClock):
    await ada.create("a")
    before = await ada.repositories.head(ada.did)
    clock.turn(-10 * MINUTE)
    await ada.create("b")
    after = await ada.repositories.head(ada.did)
    assert to_microseconds(after.rev) == to_microseconds(before.rev) + 1


async def test_identical_put_makes_no_commit(db: Database, ada: HostedRepository):
    await ada.put("a", "same")
    count = len(await messages(db))
    assert await ada.put("a", "same") is None
    assert len(await messages(db)) == count


async def test_deleting_nothing_succeeds_without_commit(db: Database, ada: HostedRepository):
    count = len(await messages(db))
    assert await ada.delete("nothing") is None
    assert len(await messages(db)) == count


async def test_creation_over_a_record_is_refused(ada: HostedRepository):
    await ada.create("a")
    with pytest.raises(InvalidInput, match="already"):
        await ada.create("a", "again")


async def test_update_of_nothing_is_refused(ada: HostedRepository):
    with pytest.raises(NotFound) as refused:
        await ada.write(ada.prepare("a", {}, WriteAction.UPDATE))
    assert refused.value.name == "RecordNotFound"


async def test_two_writes_of_one_record_are_refused(ada: HostedRepository):
    with pytest.raises(InvalidInput):
        await ada.write(ada.prepare("a", {"n": 1}), ada.prepare("a", {"n": 2}, WriteAction.PUT))


async def test_batch_is_all_or_nothing(db: Database, ada: HostedRepository):
    await ada.create("there")
    count = len(await messages(db))
    with pytest.raises(InvalidInput):
        await ada.write(ada.prepare("new", {}), ada.prepare("there", {}))
    assert await reader.find_record(db, ada.did, NOTE, RecordKey("new")) is None
    assert len(await messages(db)) == count


async def test_two_hundred_writes_are_one_commit(db: Database, ada: HostedRepository, clock: HandClock):
    count = len(await messages(db))
    await ada.write(*(ada.prepare(f"r{number}", {"n": number}) for number in range(200)))
    assert len(await messages(db)) == count + 1
    assert len(await verify_log(db, ada.did, ada.key.public, clock.now())) == 200


async def test_201_writes_are_refused(ada: HostedRepository):
    with pytest.raises(InvalidInput):
        await ada.write(*(ada.prepare(f"r{number}", {}) for number in range(201)))


async def test_two_megabytes_are_refused_before_anything_is_stored(db: Database, ada: HostedRepository):
    blocks = await blocks_of(db, ada)
    with pytest.raises(InvalidInput, match="2000000"):
        await ada.write(*(ada.prepare(f"r{number}", {"text": f"{number}" * 700_000}) for number in range(3)))
    assert await blocks_of(db, ada) == blocks


@pytest.mark.parametrize(
    ("held", "swap", "accepted"),
    [
        (True, "same", True),
        (True, "other", False),
        (True, None, False),
        (False, None, True),
        (False, "other", False),
    ],
)
@pytest.mark.parametrize("action", ["put", "delete"])
async def test_swap_record(ada: HostedRepository, held: bool, swap: str | None, accepted: bool, action: str):
    """``swapRecord`` is compared with the current record; null requires that there is none."""
    expected: Cid | None = None
    if held:
        expected = (await ada.create("a")).cid
    wanted = {"same": expected, "other": OTHER, None: None}[swap]
    write = (
        ada.prepare("a", {"text": "new"}, WriteAction.PUT, swap=wanted)
        if action == "put"
        else prepare_deletion(NOTE, RecordKey("a"), swap=wanted)
    )
    if accepted:
        await ada.write(write)
    else:
        with pytest.raises(Conflict):
            await ada.write(write)


async def test_swap_commit(ada: HostedRepository):
    head = await ada.repositories.head(ada.did)
    await ada.write(ada.prepare("a", {}), swap_commit=head.commit)
    with pytest.raises(Conflict):
        await ada.write(ada.prepare("b", {}), swap_commit=head.commit)


async def test_block_shared_by_two_records_outlives_one(db: Database, ada: HostedRepository):
    await ada.create("a", "same")
    write = await ada.create("b", "same")
    await ada.delete("a")
    assert write.cid in await blocks_of(db, ada)
    await ada.delete("b")
    assert write.cid not in await blocks_of(db, ada)


async def test_nothing_is_left_behind(db: Database, ada: HostedRepository):
    """After every record is deleted, the store contains only the commit and the empty tree."""
    for number in range(30):
        await ada.create(f"r{number}")
    for number in range(30):
        await ada.delete(f"r{number}")
    head = await ada.repositories.head(ada.did)
    assert await blocks_of(db, ada) == {head.commit, head.data}


@pytest.mark.parametrize("status", [HostingStatus.DEACTIVATED, HostingStatus.SUSPENDED, HostingStatus.TAKENDOWN])
async def test_inactive_repository_has_no_commits(db: Database, ada: HostedRepository, status: HostingStatus):
    await ada.create("a")
    await db.write(lambda w: hosting.set_status(w, ada.repositories, ada.did, status))
    count = len(await messages(db))
    with pytest.raises(Refused):
        await ada.create("b")
    assert len(await messages(db)) == count


async def test_inactive_repository_has_no_commits_even_if_the_head_in_memory_is_old(
    db: Database, ada: HostedRepository
):
    """An inactive repository accepts no commit, even if a stale head is cached: the statement that moves the head
    refuses it.
    """
    await ada.create("a")

    def behind_its_back(w: Writer) -> None:
        w.execute("update repositories set status = 'takendown' where did = :did", did=ada.did)

    await db.write(behind_its_back)
    with pytest.raises(Refused):
        await ada.create("b")


async def test_commit_after_another_process_wrote(
    db: Database, repositories: Repositories, ada: HostedRepository, clock: HandClock
):
    """After another process wrote, the changed head is noticed and the commit is made on top of it."""
    stale = await repositories.head(ada.did)
    await ada.create("a")
    repositories.put_head(stale)
    await ada.create("b")
    assert len(await verify_log(db, ada.did, ada.key.public, clock.now())) == 2


async def test_empty_commit_after_a_key_rotation(db: Database, repositories: Repositories, ada: HostedRepository):
    await ada.create("a")
    before = await repositories.head(ada.did)
    made = await recommit(repositories, ada.did)
    after = await repositories.head(ada.did)
    assert (after.data, after.commit) == (before.data, made.commit)
    assert after.rev > before.rev


async def test_cancelled_caller_does_not_undo_a_commit_that_has_begun(
    db: Database, ada: HostedRepository, clock: HandClock
):
    await ada.create("a")
    for turns in range(12):
        task = asyncio.create_task(ada.create(f"c{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await ada.create("last")
    head = await ada.repositories.head(ada.did)
    records = await verify_log(db, ada.did, ada.key.public, clock.now())
    (held,) = await db.read(lambda r: r.fetch("select count(*) from records where did = :did", did=ada.did))
    assert held[0] == len(records)
    assert head == await reader.find_head(db, ada.did)
