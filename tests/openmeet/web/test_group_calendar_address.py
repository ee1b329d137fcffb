"""The secret URL of a group's calendar: who gets one, the content of the file, and when the URL stops working; on both
engines.
"""

import hashlib

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.groups import actions, administration
from openmeet.domain.users.model import Caller
from tests.openmeet.site_under_test import api_session, details, sign_up, site_on
from tests.openmeet.web.group_pages import create_group, group_at, press_button, text_of, user_id


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


@pytest.fixture
async def ben(site):
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        yield browser


async def private_group(site, ana) -> str:
    """A private group with an event that its members see."""
    path = await create_group(ana, visibility="private", join_policy="open")
    group = await group_at(site, path)
    async with site.db.transaction() as tx:
        host = Caller(await user_id_of(tx, "ana@example.org"), "Ana")
        await events.create(tx, host, details(title="Endgames"), group=group_of_event.as_group_of_event(group))
    return path


async def user_id_of(tx, email: str):
    row = await tx.fetch_one("select id from users where email = :email", email=email)
    return row["id"]


async def let_in(site, path: str, email: str, name: str) -> None:
    group = await group_at(site, path)
    async with site.db.transaction() as tx:
        host = Caller(await user_id_of(tx, "ana@example.org"), "Ana")
        link = await administration.invite_by_link(tx, host, group.slug, uses=1)
        await administration.accept(tx, Caller(await user_id_of(tx, email), name), link.id)


async def address_in(browser, path: str) -> str:
    """The URL that the page shows, or empty if it shows none."""
    page = await text_of(browser, f"{path}/events")
    assert page.count("In your calendar") == 1
    _, found, rest = page.partition('id="own-feed-address" value="')
    return rest.partition('"')[0].removeprefix("http://openmeet.test") if found else ""


async def answers(site, address: str) -> int:
    """The response to a calendar program, which has no session."""
    async with site.browser() as anybody:
        got = await anybody.get(address)
    assert ("Endgames" in got.text) is (got.status_code == 200)
    return got.status_code


async def test_a_member_has_a_url_that_can_be_renewed_and_closed(site, ana, ben):
    path = await private_group(site, ana)
    await let_in(site, path, "ben@example.org", "Ben")
    assert await address_in(ben, path) == ""
    await press_button(ben, f"{path}/calendar", act="open")
    first = await address_in(ben, path)
    async with site.browser() as anybody:
        got = await anybody.get(first)
        assert got.headers["content-type"].startswith("text/calendar")
        assert "noindex" in got.headers["x-robots-tag"]
        assert (await anybody.get(first, headers={"if-none-match": got.headers["etag"]})).status_code == 304
        assert (await anybody.get(f"{path}.ics")).status_code == 404
    assert await answers(site, first) == 200
    assert await address_in(ana, path) == "", "each member has a separate URL"
    await press_button(ben, f"{path}/calendar", act="renew")
    second = await address_in(ben, path)
    assert [await answers(site, one) for one in (first, second)] == [404, 200]
    async with site.db.reader() as reader:
        rows = await reader.fetch("select token_hash from group_calendar_feeds")
    token = second.rpartition("/")[2].removesuffix(".ics")
    assert [bytes(row["token_hash"]) for row in rows] == [hashlib.sha256(token.encode()).digest()]
    await press_button(ben, f"{path}/calendar", act="close")
    assert (await address_in(ben, path), await answers(site, second)) == ("", 404)
    assert (await ben.post(f"{path}/calendar", data={"act": "nonsense"})).status_code in {400, 422}


@pytest.mark.parametrize("how", ["left", "removed", "banned", "deleted"])
async def test_the_url_stops_with_the_membership(site, ana, ben, how):
    """The URL stops working at once. A person who joins again has none until they create another."""
    path = await private_group(site, ana)
    await let_in(site, path, "ben@example.org", "Ben")
    await press_button(ben, f"{path}/calendar", act="open")
    before = await address_in(ben, path)
    assert await answers(site, before) == 200
    group = await group_at(site, path)
    who = await user_id(site, "ben@example.org")
    async with site.db.transaction() as tx:
        host = Caller(await user_id_of(tx, "ana@example.org"), "Ana")
        match how:
            case "removed":
                await administration.remove(tx, host, group.slug, who)
            case "banned":
                await administration.ban(tx, host, group.slug, who)
            case "deleted":
                await actions.delete(tx, host, group.slug)
    if how == "left":
        await press_button(ben, f"{path}/leave")
    assert await answers(site, before) == 404
    if how in {"left", "removed"}:
        await let_in(site, path, "ben@example.org", "Ben")
        assert (await address_in(ben, path), await answers(site, before)) == ("", 404)
        await press_button(ben, f"{path}/calendar", act="open")
        after = await address_in(ben, path)
        assert after != before
        assert [await answers(site, one) for one in (before, after)] == [404, 200]


async def test_the_api_offers_the_calendar_url_too(site, ana):
    path = await private_group(site, ana)
    api = f"/api{path}/calendar-feed"
    async with site.browser() as browser:
        cleo = await api_session(browser, "cleo@example.org", "Cleo")
        for method in ("GET", "POST", "DELETE"):
            assert (await browser.request(method, api, headers=cleo)).status_code == 404, (
                "the group does not exist for them"
            )
        await let_in(site, path, "cleo@example.org", "Cleo")
        assert (await browser.get(api, headers=cleo)).json() == {"url": None}
        made_ = await browser.post(api, headers=cleo)
        assert made_.status_code == 201
        url = made_.json()["url"]
        assert (await browser.get(api, headers=cleo)).json() == {"url": url}
        assert await answers(site, url.removeprefix("http://openmeet.test")) == 200
        assert (await browser.delete(api, headers=cleo)).status_code == 204
        assert await answers(site, url.removeprefix("http://openmeet.test")) == 404
        public = await create_group(ana, name="Open club")
        assert (await browser.post(f"/api{public}/calendar-feed", headers=cleo)).status_code == 403, (
            "only members have a URL"
        )
