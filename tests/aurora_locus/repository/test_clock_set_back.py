"""The machine's clock is set back by an hour: revisions and sequence numbers continue, and everything still verifies."""

from aurora_locus.blobs.sweep import sweep
from aurora_locus.maintenance import integrity
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import retention
from groundwork.clock import DAY, HOUR, SECOND, HandClock, Instant
from groundwork.database.transaction import Database
from tests.aurora_locus.blobs.uploading import has_file, refer, send
from tests.aurora_locus.hosted_repository import HostedRepository, frames_after, verify_log


async def test_revisions_and_numbers_only_grow(ada: HostedRepository, db: Database, clock: HandClock):
    """Revisions and numbers only increase although the clock was set back, and a careful consumer accepts the whole
    history.

    An hour is more than the five minutes by which consumers accept a revision ahead of time, so they use a correct
    clock.
    """
    revs = []
    for step in (SECOND, -HOUR, SECOND, -DAY, SECOND, 2 * DAY):
        clock.turn(step)
        made = await ada.put("a", f"after {step}, {len(revs)}")
        assert made is not None
        revs.append(made.rev)
    assert revs == sorted(set(revs))
    numbers = [number for number, _ in await frames_after(db)]
    assert numbers == sorted(set(numbers))
    records = await verify_log(db, ada.did, ada.key.public, clock.now())
    assert len(records) == 1
    assert (await integrity.examine(db, None)).findings == []


async def test_nothing_is_removed_early(
    ada: HostedRepository, repositories: Repositories, db: Database, clock: HandClock
):
    """An upload and events with a time after the corrected clock are not removed early."""
    blob = await send(ada, b"picture")
    clock.turn(-DAY)
    await sweep(repositories.blobs, clock.now())
    assert await has_file(ada, blob.cid)
    assert await retention.retire(db, Instant(clock.now() - HOUR)) == 0
    await refer(ada, "a", blob)
    await ada.delete("a")
    assert not await has_file(ada, blob.cid)
    assert ada.repositories.fresh_record_key() < ada.repositories.fresh_record_key()
