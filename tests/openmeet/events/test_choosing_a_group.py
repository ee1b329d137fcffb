"""The form of a new event offers the groups in which it can be, and a copy stays in the group of its original."""

import re

import pytest

from groundwork.clock import HandClock
from openmeet.domain.events import queries
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.events.event_forms import DRAFT_FORM
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import Site, event_by, inputs_of, person, signed_in, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def club(site: Site) -> tuple[Group, Caller, Caller]:
    """A group with its owner and a member, who may not create events in it."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        return group, ana, await add_member(tx, group, ana, "Ben", GroupRole.MEMBER)


def groups_offered(html: str) -> list[tuple[str, str]]:
    """The value and the label of each choice, the chosen one with a star."""
    choices = re.search(r'<select id="group".*?</select>', html, re.DOTALL)
    found = re.findall(r'<option value="(.*?)"( selected)?>(.*?)</option>', choices[0]) if choices else []
    return [(value, words + "*" * bool(chosen)) for value, chosen, words in found]


async def group_of(site: Site, path: str) -> str | None:
    async with site.db.reader() as reader:
        event = await queries.by_slug(reader, EventSlug(path.rpartition("/")[2]))
    assert event is not None
    return event.group.id if event.group else None


async def test_only_people_who_may_create_events_in_a_group_can_choose_it(
    site: Site, club: tuple[Group, Caller, Caller]
) -> None:
    group, ana, ben = club
    async with signed_in(site, ben.user_id) as browser:
        assert groups_offered((await browser.get("/events/new")).text) == []
    async with signed_in(site, ana.user_id) as browser:
        page = (await browser.get("/events/new")).text
        assert groups_offered(page) == [("", "No group*"), (group.slug, "Chess club")]
        made = await browser.post("/events/new", data=inputs_of(page) | DRAFT_FORM | {"group": group.slug})
        assert await group_of(site, made.headers["location"]) == group.id
        from_group = (await browser.get(f"/events/new?group={group.slug}")).text
        assert groups_offered(from_group)[1] == (group.slug, "Chess club*")
        wrong = await browser.post("/events/new", data=inputs_of(from_group) | {"title": "", "group": group.slug})
        assert groups_offered(wrong.text)[1] == (group.slug, "Chess club*")


async def test_a_copy_stays_in_its_group_until_its_host_chooses_another(
    site: Site, club: tuple[Group, Caller, Caller]
) -> None:
    """So an event that was created outside the group is brought into it by a copy."""
    group, ana, _ = club
    async with signed_in(site, ana.user_id) as browser:
        async with site.db.transaction() as tx:
            event = await event_by(tx, ana)
        page = (await browser.get(f"/events/{event.slug}/duplicate")).text
        assert groups_offered(page)[0] == ("", "No group*")
        later = DRAFT_FORM | {"starts": "2026-08-01T18:00"}
        copied = await browser.post("/events/new", data=inputs_of(page) | later | {"group": group.slug})
        path = copied.headers["location"]
        assert await group_of(site, path) == group.id
        assert groups_offered((await browser.get(f"{path}/duplicate")).text)[1] == (group.slug, "Chess club*")
