"""What the event log says about accounts that are created, deactivated and deleted."""

import pytest

from at_protocol.sync import events
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import queries
from groundwork.database.transaction import Database, Writer
from tests.aurora_locus.hosted_repository import HostedRepository, frames_after, messages
from tests.aurora_locus.sequencer.subscriber import Subscriber


async def test_new_account_is_announced_in_order(db: Database, ada: HostedRepository):
    kinds = [events.kind_of(message) for message in await messages(db, ada.did)]
    assert kinds == ["#identity", "#account", "#commit", "#sync"]


async def test_deactivation_and_reactivation_are_announced(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    """Deactivation sends one #account; reactivation sends account, identity, and sync with the current head."""
    await ada.create("a")
    before = len(await messages(db, ada.did))
    await db.write(lambda w: hosting.set_status(w, repositories, ada.did, HostingStatus.DEACTIVATED))
    await db.write(lambda w: hosting.activate(w, repositories, ada.did, None))
    gone, back, identity, sync = (await messages(db, ada.did))[before:]
    assert isinstance(gone, events.AccountMessage)
    assert (gone.active, gone.status) == (False, "deactivated")
    assert isinstance(back, events.AccountMessage)
    assert (back.active, back.status) == (True, None)
    assert isinstance(identity, events.IdentityMessage)
    assert isinstance(sync, events.SyncMessage)
    assert sync.rev == (await repositories.head(ada.did)).rev


async def test_deletion_removes_earlier_announcements(
    db: Database, repositories: Repositories, ada: HostedRepository, ben: HostedRepository
):
    await ada.create("a")
    await ben.create("b")
    bens = len(await messages(db, ben.did))
    await db.write(lambda w: hosting.remove(w, repositories, ada.did))
    (left,) = await messages(db, ada.did)
    assert isinstance(left, events.AccountMessage)
    assert left.status == "deleted"
    assert len(await messages(db, ben.did)) == bens
    subscriber = Subscriber(repositories, 0)
    await subscriber.until(await queries.last_number(db))
    assert subscriber.frames == [frame for _, frame in await frames_after(db)]
    await subscriber.end()


async def test_event_of_a_failed_transaction_is_not_sent(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    """The event of a failed transaction is not sent, and its number is given to the next event, so that numbers follow
    the commits.
    """
    before = await queries.last_number(db)

    def fails(w: Writer) -> None:
        hosting.set_status(w, repositories, ada.did, HostingStatus.DEACTIVATED)
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(fails)
    assert repositories.live.buffer.head == before
    await ada.create("a")
    assert [number for number, _ in await frames_after(db, before)] == [before + 1]
