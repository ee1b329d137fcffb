"""A person who skipped their name when they joined is asked for it before they publish an event."""

import httpx
import pytest

from groundwork.clock import HOUR, HandClock
from openmeet.domain.events import co_hosts, drafts
from openmeet.domain.events.rules import Submission
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, inputs_of, person, signed_in, site_on

FIELD = 'name="display_name"'


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


async def filled_in(browser: httpx.AsyncClient, path: str = "/events/new") -> dict[str, str]:
    form = inputs_of((await browser.get(path)).text)
    return {
        **form,
        "title": "Supper",
        "starts": "2026-07-04T18:00",
        "time_zone": "Europe/Berlin",
        "description": "Bring soup",
    }


async def name_of(site: Site, user_id: str) -> str:
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select display_name from users where id = :id", id=user_id)
    return str(row["display_name"])


async def test_a_new_event_asks_for_the_name_once(site: Site) -> None:
    """Nothing that was typed is lost, and a person with a name is not asked."""
    async with site.db.transaction() as tx:
        nobody, ana = await person(tx, ""), await person(tx, "Ana")
    async with signed_in(site, nobody.user_id) as browser:
        form = await filled_in(browser)
        refused = await browser.post("/events/new", data=form)
        created = await browser.post("/events/new", data={**form, "display_name": " Lena  Sommer "})
        again = (await browser.get("/events/new")).text
        event = (await browser.get(created.headers["location"])).text
    assert (refused.status_code, created.status_code) == (400, 303)
    assert 'id="display_name-problem"' in refused.text
    assert "Bring soup" in refused.text
    assert "Lena Sommer" in event
    assert await name_of(site, nobody.user_id) == "Lena Sommer"
    assert FIELD not in again
    async with signed_in(site, ana.user_id) as browser:
        assert FIELD not in (await browser.get("/events/new")).text
        sent = {**await filled_in(browser), "display_name": "Mallory"}
        assert (await browser.post("/events/new", data=sent)).status_code == 303
    assert await name_of(site, ana.user_id) == "Ana"


async def test_a_draft_needs_no_name_until_it_is_published(site: Site) -> None:
    async with site.db.transaction() as tx:
        nobody = await person(tx, "")
    async with signed_in(site, nobody.user_id) as browser:
        begun = await browser.post("/events/new", data={**await filled_in(browser), "save": "draft"})
        path = begun.headers["location"]
        form = {**await filled_in(browser, path), "display_name": ""}
        refused = await browser.post(path, data=form)
        published = await browser.post(path, data={**form, "display_name": "Lena"})
    assert (refused.status_code, published.status_code) == (400, 303)
    assert 'id="display_name-problem"' in refused.text
    assert await name_of(site, nobody.user_id) == "Lena"


async def test_the_api_says_what_to_do_before_anything_is_published(site: Site) -> None:
    """Events, series and groups need a name; a draft does not until it is published."""
    event = {"title": "Supper", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
    async with site.browser() as program:
        headers = await api_session(program, "nobody@example.org", "")
        draft = await program.post("/api/events", json={**event, "isDraft": True}, headers=headers)
        assert draft.status_code == 201, draft.text
        path = f"/api/events/{draft.json()['slug']}"
        asked = [
            await program.post("/api/events", json=event, headers=headers),
            await program.post("/api/series", json={**event, "recurrence": "FREQ=WEEKLY"}, headers=headers),
            await program.post("/api/groups", json={"name": "Cooks", "timeZone": "Europe/Berlin"}, headers=headers),
            await program.post(f"{path}/publish", json={}, headers={**headers, "if-match": draft.headers["etag"]}),
            await program.post(f"{path}/publish", json={"publishAt": "2026-07-01T10:00:00Z"}, headers=headers),
        ]
        for one in asked:
            assert (one.status_code, one.headers["content-type"]) == (422, "application/problem+json"), one.text
            assert one.json()["title"] == "NameNeeded"
            assert "Choose your name in your profile first" in one.json()["detail"]
        mine = await program.get("/api/me", headers=headers)
        saved = await program.put(
            "/api/me", json={"displayName": "Lena"}, headers={**headers, "if-match": mine.headers["etag"]}
        )
        assert saved.status_code == 200, saved.text
        assert (await program.post("/api/events", json=event, headers=headers)).status_code == 201


async def test_a_new_group_asks_for_the_name_once(site: Site) -> None:
    async with site.db.transaction() as tx:
        nobody, ana = await person(tx, ""), await person(tx, "Ana")
    async with signed_in(site, nobody.user_id) as browser:
        form = {**inputs_of((await browser.get("/groups/new")).text), "name": "Cooks", "time_zone": "Europe/Berlin"}
        refused = await browser.post("/groups/new", data=form)
        created = await browser.post("/groups/new", data={**form, "display_name": "Lena"})
        assert FIELD not in (await browser.get("/groups/new")).text
    assert (refused.status_code, created.status_code) == (400, 303)
    assert 'id="display_name-problem"' in refused.text
    assert await name_of(site, nobody.user_id) == "Lena"
    async with signed_in(site, ana.user_id) as browser:
        assert FIELD not in (await browser.get("/groups/new")).text


async def test_a_co_host_reads_whose_name_is_missing(site: Site, clock: HandClock) -> None:
    """The co-host, who has no name either, is asked for none, because only the author can publish the draft."""
    async with site.db.transaction() as tx:
        author, helper = await person(tx, "Lena"), await person(tx, "")
        draft = await drafts.begin(tx, author, Submission(title="Supper"), {})
        invited = await co_hosts.invite(tx, author, draft.slug, "ben@example.org")
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=helper.user_id)
        await co_hosts.accept(tx, helper, invited.id)
        at = clock.now() + HOUR
        full = Submission(title="Supper", starts="2026-07-04T18:00", time_zone="Europe/Berlin")
        await drafts.keep(tx, author, draft.slug, full, {}, publish_at=at)
        await tx.execute("update users set display_name = '' where id = :id", id=author.user_id)
    clock.turn(2 * HOUR)
    assert await drafts.publish_due(site.db) == 0
    path = f"/events/{draft.slug}/draft"
    async with signed_in(site, author.user_id) as browser:
        own = (await browser.get(path)).text
    async with signed_in(site, helper.user_id) as browser:
        shared = (await browser.get(path)).text
        refused = await browser.post(path, data={**inputs_of(shared), "time_zone": "Europe/Berlin"})
    assert "Choose your name in your profile first" in own
    assert FIELD in own
    assert "Ask them to choose a name in their profile" in shared
    assert FIELD not in shared
    assert "Only the person who started this draft can publish it." in shared
    assert (">Publish<" in own, ">Publish<" in shared) == (True, False)
    assert (refused.status_code, "You can’t publish this draft." in refused.text) == (403, True)
