"""The page for new people: town, topics, groups. The choices are stored, and all of it can be skipped."""

import re

import pytest

from openmeet.domain.events.vocabulary import Category
from openmeet.domain.groups import membership_queries
from openmeet.domain.saved_searches import queries as saved_search_queries
from openmeet.domain.users.queries import by_email
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import person, sign_up, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def _searches(site) -> list[str]:
    async with site.db.reader() as reader:
        ida = await by_email(reader, "ida@example.org")
        return sorted(one.asked for one in await saved_search_queries.of_person(reader, ida.id))


async def test_topics_become_searches_and_groups_are_followed(site):
    """A person can choose at most five topics, because each one uses up one of the limited saved searches."""
    async with site.db.transaction() as tx:
        group = await group_by(tx, await person(tx, "Ana"))
    async with site.browser() as browser:
        await sign_up(browser, "ida@example.org", "Ida")
        page = (await browser.get("/welcome/start")).text
        assert "Welcome, Ida" in page
        topics = re.findall(r'name="topics\.\w+" value="yes"> <span>([^<]+)<', page)
        assert len(topics) == len(Category)
        assert topics == sorted(topics)
        assert f'name="groups.{group.slug}"' in page
        chosen = {f"topics.{one}": "yes" for one in ("music", "food", "games", "books", "film", "sports")}
        done = await browser.post("/welcome/start", data={**chosen, f"groups.{group.slug}": "yes", "next": "/home"})
        assert (done.status_code, done.headers["location"]) == (303, "/home")
        assert "You’re all set." in (await browser.get("/home")).text
    assert len(await _searches(site)) == 5
    async with site.db.reader() as reader:
        ida = await by_email(reader, "ida@example.org")
        followed = await membership_queries.followed_by(reader, ida.id, limit=10)
    assert [one.group.id for one in followed] == [group.id]


async def test_choosing_nothing_continues(site):
    """Nothing is stored, and the next URL must be on this site."""
    async with site.browser() as browser:
        await sign_up(browser, "ida@example.org", "Ida")
        done = await browser.post("/welcome/start", data={"next": "https://evil.test/"})
        assert done.headers["location"] == "/"
    assert await _searches(site) == []


async def test_a_new_person_without_a_name_is_asked_for_interests_next(site):
    """If the person signed up for another purpose, they continue with that instead."""
    async with site.browser() as browser:
        await sign_up(browser, "ida@example.org", "Ida")
        home = await browser.post("/welcome", data={"display_name": "Ida K", "next": "/home"})
        event = await browser.post("/welcome", data={"display_name": "Ida K", "next": "/events/x"})
    assert home.headers["location"] == "/welcome/start"
    assert event.headers["location"] == "/events/x"
