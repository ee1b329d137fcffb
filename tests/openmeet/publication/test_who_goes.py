"""Who goes, hands over or is deleted, by role and by whose repository has the record: THE table of decision 0067, row by row."""

import pytest

from groundwork.errors import Forbidden
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_host_queries, co_hosts, ownership
from openmeet.domain.events.model import Event
from openmeet.domain.events.permissions import CoHostState
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import account_deletion
from openmeet.network.records.collections import EVENT, SUCCESSION_KEY
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.publication.test_groups import event_in, found, let_in, pay, records, records_in, turn
from tests.openmeet.publication.test_groups import now as group_now
from tests.openmeet.publication.test_lent_accounts import host_beside
from tests.openmeet.publication.test_owners import events_here, hand_over, now
from tests.openmeet.town import Town

KINDS = pytest.mark.parametrize("kind", ["a person's", "its group's"])


async def stage(town: Town, kind: str, owner: Caller, beside: Caller) -> tuple[Event, str, Group | None]:
    """An event of ``owner`` that ``beside`` hosts, too, and its record, in the repository of this kind."""
    group = None
    if kind == "its group's":
        await turn(town, Flag.GROUPS)
        founder = await town.person("Founder")
        group = await found(town, founder)
        await let_in(town, founder, group, owner, GroupRole.MODERATOR)
        await let_in(town, founder, group, beside, GroupRole.ADMIN)
        async with town.db.transaction() as tx:
            await group_hosting.open_account(tx, founder, group.slug, "chess.town.test")
        await town.pay_debts()
        await pay(town)
        event = await event_in(town, owner, group)
    else:
        event = await town.event(owner)
        await pay(town)
    async with town.db.transaction() as tx:
        await host_beside(tx, event, owner, beside)
    return event, (await town.standing(PublicationKind.EVENT, event.id)).uri or "", group


async def delete_account(town: Town, who: Caller) -> str:
    """What is done when the account behind somebody's DID is deleted, and they have no other way to sign in."""
    did = (await town.identity(who.user_id)).did
    async with town.db.transaction() as tx:
        await account_deletion.erase_here(tx, [bytes(32)], did)
    await pay(town)
    return did


async def holder(town: Town, event: Event) -> tuple[str, str | None]:
    """Whose the event is, and where its record stands."""
    after = await now(town, event)
    assert not after.is_gone
    return after.author_id, after.record_uri


@KINDS
async def test_the_owner(town: Town, kind: str):
    """Does not leave; hands over and gets back; with the account what is coming passes on to who hosts it for longest."""
    ana, ben = await town.connected("ana"), await town.person("Ben")
    event, uri, _ = await stage(town, kind, ana, ben)
    with pytest.raises(Forbidden):
        async with town.db.transaction() as tx:
            await co_hosts.leave(tx, ana, event.slug)
    await hand_over(town, event, ana, ben)
    owner, passed = await holder(town, event)
    assert (owner, passed == uri) == (ben.user_id, kind == "its group's")
    await hand_over(town, event, ben, ana)
    assert await holder(town, event) == (ana.user_id, uri)
    did = await delete_account(town, ana)
    owner, last = await holder(town, event)
    assert (owner, last == uri) == (ben.user_id, kind == "its group's")
    assert last is not None
    assert did not in str(await town.record(last))
    await town.revise(ben, event.slug, title="Coffee")
    await pay(town)
    assert (await town.record(last))["name"] == "Coffee"
    assert await events_here(town) == [event.id]


@KINDS
async def test_a_co_host(town: Town, kind: str):
    """Has nothing to hand over; leaves or is deleted, and nothing moves."""
    ana, ben = await town.person("Ana"), await town.connected("ben")
    event, uri, _ = await stage(town, kind, ana, ben)
    async with town.db.reader() as reader:
        row = await co_host_queries.of_person(reader, event.id, ben.user_id)
    with pytest.raises(Forbidden):
        async with town.db.transaction() as tx:
            await ownership.offer(tx, ben, event.slug, row.id)
    async with town.db.transaction() as tx:
        await co_hosts.leave(tx, ben, event.slug)
    await pay(town)
    assert await holder(town, event) == (ana.user_id, uri)
    async with town.db.transaction() as tx:
        await co_host_queries.put(tx, row)
    await delete_account(town, ben)
    assert await holder(town, event) == (ana.user_id, uri)
    async with town.db.reader() as reader:
        assert (await co_host_queries.of_person(reader, event.id, ben.user_id)).state is CoHostState.LEFT
    assert (await town.record(uri))["name"] == "Tea in the park"


async def test_who_runs_the_group(town: Town):
    """Neither hands over what is another's, nor takes anything along; the group's own account does."""
    ana, ben = await town.person("Ana"), await town.connected("ben")
    event, uri, group = await stage(town, "its group's", ana, ben)
    assert group is not None
    async with town.db.transaction() as tx:
        await co_hosts.leave(tx, ben, event.slug)
        row = await co_host_queries.of_person(tx, event.id, ben.user_id)
    with pytest.raises(Forbidden):
        async with town.db.transaction() as tx:
            await ownership.offer(tx, ben, event.slug, row.id)
    async with town.db.transaction() as tx:
        await groups.leave(tx, ben, group.slug)
    await pay(town)
    assert await holder(town, event) == (ana.user_id, uri)
    await delete_account(town, ben)
    assert await holder(town, event) == (ana.user_id, uri)
    held = (await group_now(town, group)).network.account_id
    await delete_account(town, Caller(held, "the group"))
    owner, last = await holder(town, event)
    assert (owner, (await group_now(town, group)).network.account_id) == (ana.user_id, None)
    assert last is not None
    assert last.split("/")[2] == (await town.identity(ana.user_id)).did
    assert SUCCESSION_KEY not in await town.record(last)


async def test_what_is_out_moves_to_the_repository_that_its_group_gets(town: Town):
    """The old record leads there; narrowed before it has moved, it stays where it was."""
    await turn(town, Flag.GROUPS)
    ana = await town.person("Ana")
    group = await found(town, ana)
    event = await event_in(town, ana, group)
    old = (await now(town, event)).record_uri
    async with town.db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
    await town.pay_debts()
    await pay(town)
    account = (await group_now(town, group)).network.account_id
    home = (await town.identity(account)).did
    (new,) = await records_in(town, home, EVENT)
    assert await holder(town, event) == (ana.user_id, new)
    assert (await records(town, ana, EVENT))[old][SUCCESSION_KEY]["successor"] == new


async def test_what_does_not_move_after_all_is_written_where_it_was(town: Town):
    """A cancellation must not wait for a repository that is never made."""
    await turn(town, Flag.GROUPS)
    ana = await town.person("Ana")
    group = await found(town, ana)
    event = await event_in(town, ana, group)
    old = (await now(town, event)).record_uri
    async with town.db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
        await tx.execute("update groups set promotion_level = 'members' where id = :id", id=group.id)
        await events.cancel(tx, ana, event.slug, "Rain")
    await pay(town)
    assert await holder(town, event) == (ana.user_id, old)
    assert (await town.record(old))["status"] == f"{EVENT}#cancelled"
