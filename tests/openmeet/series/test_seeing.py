"""The series that a person can see, and the actions on them that are offered; on both engines."""

from dataclasses import replace

import pytest

from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import queries as groups
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.moderation.blocks import block
from openmeet.domain.series import actions, apply_edits, date_queries, follower_queries, ownership, queries, visibility
from openmeet.domain.series.model import Series
from openmeet.domain.series.plan import plan_all
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import dates, give_rsvp, lock_series, weekly
from tests.openmeet.site_under_test import Site, person, signed_in
from tests.openmeet.statement_counter import StatementCounter


async def private(
    tx: Transaction, host: Caller, title: str, *, in_group: GroupRole | None = None, ben: Caller
) -> Series:
    """A private series. With ``in_group`` it is in a private group where Ben has this role."""
    group = None
    if in_group is not None:
        group = group_of_event.as_group_of_event(await group_by(tx, host, visibility="private"))
        await groups.put_member(tx, groups.new_membership(tx.now, group.id, ben.user_id, in_group))
    return await actions.create(tx, host, Content(title, visibility=Visibility.PRIVATE), weekly(), group=group)


async def made_private(tx: Transaction, host: Caller, series: Series) -> None:
    """The host makes the series visible only to invited people."""
    now = await lock_series(tx, host, series)
    template = replace(now.content, visibility=Visibility.PRIVATE)
    await apply_edits.apply_plan(
        tx, now, plan_all(now, template, now.timing, await date_queries.stored(tx, now.id), tx.now)
    )


async def test_each_series_is_visible_as_it_is_alone(practice_db: Database) -> None:
    """Members, guests and co-hosts see the series. People who left its group or are blocked by its host do not."""
    async with practice_db.transaction() as tx:
        ana, ben, eve = [await person(tx, name) for name in ("Ana", "Ben", "Eve")]
        several = {
            "public": await actions.create(tx, ana, Content("Public"), weekly()),
            "closed": await private(tx, ana, "Closed", ben=ben),
            "invited": await private(tx, ana, "Invited", ben=ben),
            "hosted": await private(tx, ana, "Hosted", ben=ben),
            "member": await private(tx, ana, "Member", in_group=GroupRole.MEMBER, ben=ben),
            "left": await private(tx, ana, "Left", in_group=GroupRole.LEFT, ben=ben),
            "kept away": await private(tx, eve, "Kept away", in_group=GroupRole.MEMBER, ben=ben),
            "runs it": await private(tx, eve, "Runs it", in_group=GroupRole.ADMIN, ben=ben),
            "own": await private(tx, ben, "Own", ben=ben),
        }
        await invitations.invite(tx, ana, (await dates(tx, several["invited"]))[0].slug, "ben@example.org")
        await invitations.invite(tx, ana, (await dates(tx, several["left"]))[0].slug, "ben@example.org")
        one = await co_hosts.invite(tx, ana, (await dates(tx, several["hosted"]))[0].slug, "ben@example.org")
        await co_hosts.accept(tx, ben, one.id)
        await block(tx, eve.user_id, ben.user_id)
        found = await visibility.seen(tx, list(several.values()), ben.user_id)
        assert [name for name, one in several.items() if one in found] == [
            "public",
            "invited",
            "hosted",
            "member",
            "runs it",
            "own",
        ]
        assert found == [one for one in several.values() if await visibility.may_see(tx, one, ben.user_id)]
        assert await visibility.seen(tx, list(several.values()), None) == [several["public"]]


async def test_many_offers_take_as_many_statements_as_one(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for number in range(6):
            series = await private(tx, ana, f"Choir {number}", in_group=GroupRole.ADMIN, ben=ben)
            await ownership.offer(tx, ana, series, ben.user_id)
            guest = await private(tx, ana, f"Walk {number}", ben=ben)
            first = (await dates(tx, guest))[0]
            await invitations.invite(tx, ana, first.slug, "ben@example.org")
            await give_rsvp(tx, ben, first)
            await ownership.offer(tx, ana, guest, ben.user_id)
        offers = await ownership.offered_to(tx, ben.user_id)
        few, many = StatementCounter(tx), StatementCounter(tx)
        assert len(await ownership.open_to(few, ben.user_id, offers[:2])) == 2
        assert len(await ownership.open_to(many, ben.user_id, offers)) == len(offers) == 12
        assert many.statements == few.statements <= 5


async def test_the_owner_of_an_invited_address_is_offered_the_series_only_once_they_have_answered(
    practice_db: Database,
) -> None:
    """Otherwise the list of people to whom it can be offered would tell the host who owns the address."""
    async with practice_db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        series = await actions.create(tx, ana, Content("Practice"), weekly())
        first = (await dates(tx, series))[0]
        await invitations.invite(tx, ana, first.slug, "ben@example.org")
        assert await ownership.candidates(tx, series) == []
        with pytest.raises(Refused):
            await ownership.offer(tx, ana, series, ben.user_id)
        await give_rsvp(tx, ben, first, RsvpReply.DECLINED)
        assert await ownership.candidates(tx, series) == [(ben.user_id, "Ben")]


async def test_a_series_that_one_no_longer_sees_is_offered_nowhere(site: Site) -> None:
    """Neither the page nor the API of one's series lists it, and no response reveals that it exists."""
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        series = await actions.create(tx, ana, Content("Quiet circle"), weekly())
        await follower_queries.follow(tx, series.id, ben.user_id, notifies=True)
        await ownership.offer(tx, ana, series, ben.user_id)
        program = await open_session(tx, ben.user_id, SessionTransport.API)
    bearer = {"authorization": f"Bearer {program.token}"}
    async with signed_in(site, ben.user_id) as browser:
        assert "Quiet circle" in (await browser.get("/my/series")).text
        async with site.db.transaction() as tx:
            await made_private(tx, ana, series)
        path = f"/series/{series.slug}/hand-over"
        assert "Quiet circle" not in (await browser.get("/my/series")).text
        listed = await browser.get("/api/my/series-offers", headers=bearer)
        assert listed.json() == {"offers": [], "cursor": None}
        answered = [
            await browser.get(path),
            await browser.post(f"{path}/answer", data={"wish": "yes"}),
            await browser.post(f"{path}/answer", data={"wish": "no"}),
            await browser.post(f"/api/series/{series.slug}/accept", headers=bearer),
            await browser.delete(f"/api/series/{series.slug}/offer", headers=bearer),
        ]
    assert [one.status_code for one in answered] == [404] * 5
    assert not any("Quiet circle" in one.text for one in answered)
    async with site.db.reader() as reader:
        now = await queries.by_id(reader, series.id)
        assert now is not None
        assert now.owner_id == ana.user_id
