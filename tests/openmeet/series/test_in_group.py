"""Series of groups: who can see them, who can change them, and the settings of their dates; on both engines."""

import pytest

from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.events import group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import administration
from openmeet.domain.groups import queries as groups
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import actions, cancel_dates, existing_events, follower_queries, ownership, standing_rsvps
from openmeet.domain.series import visibility as series_visibility
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import create_weekly_series, dates, kinds_received, lock_series, weekly
from tests.openmeet.site_under_test import Site, person


async def series_in(tx: Transaction, visibility: str) -> tuple[Caller, Series]:
    """A weekly series of Ana's in her group."""
    ana = await person(tx, "Ana")
    group = group_of_event.as_group_of_event(await group_by(tx, ana, visibility=visibility))
    return ana, await actions.create(tx, ana, Content("Practice"), weekly(), group=group)


async def join(tx: Transaction, series: Series, name: str, role: GroupRole) -> Caller:
    assert series.group is not None
    who = await person(tx, name)
    await groups.put_member(tx, groups.new_membership(tx.now, series.group.id, who.user_id, role))
    return who


@pytest.mark.parametrize(
    ("visibility", "effective"),
    [("public", Visibility.PUBLIC), ("unlisted", Visibility.UNLISTED), ("private", Visibility.PRIVATE)],
)
async def test_dates_belong_to_the_group_and_have_its_visibility(
    practice_db: Database, visibility: str, effective: Visibility
) -> None:
    async with practice_db.transaction() as tx:
        _, series = await series_in(tx, visibility)
        member, stranger = await join(tx, series, "Ben", GroupRole.MEMBER), await person(tx, "Cleo")
        assert series.visibility is effective
        assert {event.visibility for event in await dates(tx, series)} == {effective}
        assert await series_visibility.may_see(tx, series, member.user_id)
        is_open = effective is not Visibility.PRIVATE
        assert await series_visibility.may_see(tx, series, stranger.user_id) is is_open
        assert await series_visibility.may_see(tx, series, None) is is_open
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00", viewer=member.user_id)
        assert far.group == series.group


@pytest.mark.parametrize("role", [role for role in GroupRole if role is not GroupRole.OWNER])
async def test_the_permissions_of_the_group_decide_who_may_change_its_series(
    practice_db: Database, role: GroupRole
) -> None:
    async with practice_db.transaction() as tx:
        _, series = await series_in(tx, "private")
        ben = await join(tx, series, "Ben", role)
        if role is GroupRole.ADMIN:
            assert (await lock_series(tx, ben, series)).id == series.id
        else:
            refused = Forbidden if role in {GroupRole.MODERATOR, GroupRole.MEMBER} else NotFound
            with pytest.raises(refused):
                await lock_series(tx, ben, series)


async def test_followers_are_notified_of_a_private_series_while_they_are_members(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await series_in(tx, "private")
        ben, cleo = await join(tx, series, "Ben", GroupRole.MEMBER), await join(tx, series, "Cleo", GroupRole.MEMBER)
        for one in (ben, cleo):
            await actions.follow(tx, one, series.slug)
        assert series.group is not None
        await tx.execute(
            "update group_members set role = 'left' where group_id = :id and user_id = :user_id",
            id=series.group.id,
            user_id=cleo.user_id,
        )
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), ["2026-12-01T18:00:00"], "ill")
        assert (await kinds_received(tx, ben), await kinds_received(tx, cleo)) == ([event_kinds.EVENT_CANCELLED], [])


async def test_events_can_only_join_series_of_their_own_group(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        other = await person(tx, "Olga")
        group = group_of_event.as_group_of_event(await group_by(tx, ana, visibility="private"))
        inside = await actions.create(tx, ana, Content("Rehearsal"), weekly(), group=group)
        (date, *_) = await dates(tx, inside)
        await actions.delete(tx, await lock_series(tx, ana, inside), keeps_events=True)
        with pytest.raises(Refused) as refused:
            await existing_events.add(tx, ana, await lock_series(tx, ana, series), date.slug)
        assert refused.value.name == "OtherGroup"
        with pytest.raises(NotFound):
            await existing_events.add(tx, other, series, date.slug)


async def test_a_series_can_be_offered_to_people_who_may_host_in_the_group(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await series_in(tx, "private")
        member, moderator = (
            await join(tx, series, "Ben", GroupRole.MEMBER),
            await join(tx, series, "Mia", GroupRole.MODERATOR),
        )
        await actions.follow(tx, member, series.slug)
        assert [name for _, name in await ownership.candidates(tx, series)] == ["Mia"]
        with pytest.raises(Refused):
            await ownership.offer(tx, ana, await lock_series(tx, ana, series), member.user_id)
        await ownership.offer(tx, ana, await lock_series(tx, ana, series), moderator.user_id)
        assert await kinds_received(tx, moderator) == [event_kinds.SERIES_OFFERED]
        taken = await ownership.accept(tx, moderator, await lock_series(tx, ana, series))
        assert taken.owner_id == moderator.user_id
        assert {event.author_id for event in await dates(tx, series)} == {moderator.user_id}
        assert await follower_queries.following(tx, series.id, ana.user_id) is not None


async def test_a_person_who_may_no_longer_host_in_the_group_cannot_take_a_series_over(practice_db: Database) -> None:
    """The series was offered to a moderator, who was removed from the group before they accepted."""
    async with practice_db.transaction() as tx:
        ana, series = await series_in(tx, "public")
        moderator = await join(tx, series, "Mia", GroupRole.MODERATOR)
        await ownership.offer(tx, ana, await lock_series(tx, ana, series), moderator.user_id)
        slug = (await groups.by_id(tx, series.group.id)).slug
        await administration.remove(tx, ana, slug, moderator.user_id)
        with pytest.raises(Refused) as refused:
            await ownership.accept(tx, moderator, await lock_series(tx, ana, series))
        assert refused.value.name == "NotPartOfIt"
        assert (await lock_series(tx, ana, series)).owner_id == ana.user_id
    await standing_rsvps.end_rsvps(practice_db, moderator.user_id)
    async with practice_db.reader() as reader:
        assert await ownership.offered(reader, series.id) is None, "it does not apply again if they return"


async def test_pages_of_a_series_and_its_dates_link_to_the_group(site: Site) -> None:
    async with site.db.transaction() as tx:
        _, series = await series_in(tx, "public")
        assert series.group is not None
        group = await groups.by_id(tx, series.group.id)
        assert group is not None
        date = (await dates(tx, series))[0]
    link = f'in <a href="/groups/{group.slug}">{group.details.name}</a>'
    async with site.browser() as stranger:
        for path in (f"/series/{series.slug}", f"/events/{date.slug}"):
            assert link in (await stranger.get(path)).text, path
