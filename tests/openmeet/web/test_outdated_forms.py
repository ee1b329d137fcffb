"""A form that was opened before something changed is not saved: it is shown again, with what was typed and what changed.
The same holds for requests of programs that name the version that they read.
"""

import httpx
import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import policy
from openmeet.domain.series import date_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.queries import by_id
from openmeet.network.records.collections import EVENT
from tests.databases import MakeDatabase
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.ingestion.network import did, event
from tests.openmeet.ingestion.own_groups_and_series import (
    OWN_GROUP_URI,
    OWN_SERIES_URI,
    create_published_group,
    create_published_series,
    update_message,
)
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import Site, event_by, inputs_of, person, signed_in, site_on

GROUP_FORM = {"time_zone": "Europe/Berlin", "join_policy": "open", "visibility": "public", "promotion_level": "public"}


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.fixture
def site(db: Database, clock: HandClock) -> Site:
    return site_on(db, clock)


async def opened(browser: httpx.AsyncClient, path: str) -> dict[str, str]:
    """The fields of a form, as it opens."""
    response = await browser.get(path)
    assert response.status_code == 200, response.text
    return inputs_of(response.text)


async def api(site: Site, user_id) -> dict[str, str]:
    async with site.db.transaction() as tx:
        session = await open_session(tx, user_id, SessionTransport.API)
    return {"authorization": f"Bearer {session.token}"}


async def test_profile(db: Database, site: Site):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as one, signed_in(site, ana.user_id) as other:
        form = await opened(one, "/settings/profile")
        late = await opened(other, "/settings/profile")
        written = form | {"bio": "I bake.", "shows_about": "on"}
        assert (await one.post("/settings/profile", data=written)).status_code == 303
        stale = await other.post("/settings/profile", data=late | {"bio": "", "display_name": "Ana B."})
        assert stale.status_code == 409
        assert "What you typed is still here." in stale.text
        assert "</strong> I bake." in stale.text
        assert "</strong> selected" in stale.text
        assert 'value="Ana B."' in stale.text
        async with db.reader() as reader:
            assert (await by_id(reader, ana.user_id)).bio == "I bake."
        again = inputs_of(stale.text) | {"bio": "", "display_name": "Ana B."}
        assert (await other.post("/settings/profile", data=again)).status_code == 303


async def test_a_time_zone_saved_on_its_own_leaves_the_profile_alone(db: Database, site: Site):
    """The form of the zone has no other field, so it cannot be outdated."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        form = await opened(browser, "/settings/profile")
        zone = await browser.post("/settings/time-zone", data={"time_zone": "Europe/Vienna"})
        assert zone.status_code == 303
        assert (await browser.post("/settings/profile", data=form)).status_code == 409
    async with db.reader() as reader:
        assert (await by_id(reader, ana.user_id)).time_zone == "Europe/Vienna"


async def test_choices_of_what_is_synced(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await identities.grant_consent(tx, ana.user_id, handle="ana.openmeet.example")
    async with (
        offline_publishing(clock) as publishing,
        signed_in(site_on(db, clock, publishing=publishing), ana.user_id) as browser,
    ):
        path = "/settings/publishing/records"
        late = form = await opened(browser, "/settings/publishing")
        assert (await browser.post(path, data=form | {"lets_co_hosts_publish": "yes"})).status_code == 303
        stale = await browser.post(path, data=late | {"writes_answers": ""})
        assert stale.status_code == 409
        assert "</strong> selected" in stale.text
        assert (await browser.post(path, data=inputs_of(stale.text))).status_code == 303


async def test_rules_of_moderators(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        people = [await person(tx, name) for name in ("Ana", "Ben")]
    site = site_on(db, clock, moderators=("ana@example.org", "ben@example.org"))
    path = "/moderation/rules"
    async with signed_in(site, people[0].user_id) as ana, signed_in(site, people[1].user_id) as ben:
        form, late = await opened(ana, path), await opened(ben, path)
        assert (await ana.post(path, data=form | {"new_account_days": "21"})).status_code == 303
        stale = await ben.post(path, data=late | {"new_author_minutes": "7"})
        assert stale.status_code == 409
        assert "</strong> 21" in stale.text
        async with db.reader() as reader:
            assert (await policy.current(reader)).new_account_days == 21
        assert (await ben.post(path, data=inputs_of(stale.text))).status_code == 303


async def test_registration_settings(db: Database, site: Site):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        tea = await event_by(tx, ana)
    path = f"/events/{tea.slug}/joining"
    async with signed_in(site, ana.user_id) as browser:
        late = form = await opened(browser, path)
        assert (
            await browser.post(path, data=form | {"needs_approval": "yes", "question_1": "Diet?"})
        ).status_code == 303
        stale = await browser.post(path, data=late | {"asks_names": "yes"})
        assert stale.status_code == 409
        assert "</strong> selected" in stale.text
        assert "</strong> Diet?" in stale.text


async def test_ticked_boxes_are_named_as_in_the_form(db: Database, site: Site):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        tea = await event_by(tx, ana)
    path = f"/events/{tea.slug}/edit"
    chosen = {"time_zone": "Europe/Berlin", "visibility": "public"}
    async with signed_in(site, ana.user_id) as browser:
        late = form = await opened(browser, path) | chosen
        ticked = {"access.step_free": "yes", "access.captions": "yes"}
        assert (await browser.post(path, data=form | ticked)).status_code == 303
        stale = await browser.post(path, data=late | {"title": "Cocoa"})
        assert stale.status_code == 409
        assert "</strong> Step-free access, Live captions" in stale.text


async def test_a_group_that_another_app_changed(db: Database, site: Site):
    ana, group, record = await create_published_group(db)
    path = f"/groups/{group.slug}/settings"
    headers = await api(site, ana.user_id)
    async with signed_in(site, ana.user_id) as browser:
        form = await opened(browser, path) | GROUP_FORM
        read = await browser.get(f"/api/groups/{group.slug}", headers=headers)
        await apply_messages(db, update_message(OWN_GROUP_URI, 1, record | {"description": "From another app."}))
        stale = await browser.post(path, data=form | {"description": "We meet.", "name": "Chess and tea"})
        assert stale.status_code == 409
        assert "</strong> From another app." in stale.text
        body = {"name": "Chess", "timeZone": "Europe/Berlin"}
        versioned = headers | {"if-match": read.headers["etag"]}
        late = await browser.put(f"/api/groups/{group.slug}", json=body, headers=versioned)
        assert (late.status_code, late.json()["title"]) == (412, "InvalidSwap")


async def test_a_series_that_another_app_changed(db: Database, site: Site):
    ana, series, record = await create_published_series(db)
    path = f"/series/{series.slug}/edit"
    headers = await api(site, ana.user_id)
    async with signed_in(site, ana.user_id) as browser:
        form = await opened(browser, path) | {"time_zone": "Europe/Vienna", "visibility": "public"}
        read = await browser.get(f"/api/series/{series.slug}", headers=headers)
        await apply_messages(db, update_message(OWN_SERIES_URI, 1, record | {"description": "Bring two cups."}))
        stale = await browser.post(path, data=form | {"description": "Bring a cup.", "title": "Cocoa"})
        assert stale.status_code == 409
        assert "</strong> Bring two cups." in stale.text
        body = {"scope": "all", "title": "Cocoa"}
        versioned = headers | {"if-match": read.headers["etag"]}
        assert (await browser.post(f"/api{path}", json=body, headers=versioned)).status_code == 412


async def test_one_date_of_a_series(db: Database, site: Site):
    """An edit of one date makes no new revision of its series. The form of the date is outdated nevertheless."""
    ana, series, _ = await create_published_series(db)
    path = f"/series/{series.slug}/edit"
    zone = {"time_zone": "Europe/Vienna", "visibility": "public", "description": "Bring a cup."}
    async with signed_in(site, ana.user_id) as browser:
        late = form = await opened(browser, path) | zone
        assert (await browser.post(path, data=form | {"title": "Cocoa", "scope": "this"})).status_code == 303
        stale = await browser.post(path, data=late | {"door_note": "Ring twice", "scope": "this"})
        assert stale.status_code == 409
        assert "</strong> Cocoa" in stale.text
        assert ">Ring twice</textarea>" in stale.text
        again = inputs_of(stale.text) | zone | {"door_note": "Ring twice"}
        assert (await browser.post(path, data=again | {"scope": "this"})).status_code == 303
    async with db.reader() as reader:
        now = await series_queries.by_id(reader, series.id)
        saved = await date_queries.date_of(reader, series.id, form["date"])
    assert now.revision == series.revision
    assert (saved.title, saved.content.entry_instructions) == ("Tea", "Ring twice")


async def test_an_event_that_another_app_changed(db: Database, clock: HandClock, site: Site):
    """The change is a new revision even within one microsecond, and nothing is sent because of it."""
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
    base = {"startsAt": "2026-07-04T16:00:00Z", "timezone": "Europe/Berlin"}
    await apply_messages(db, event(1, "tea", 1, "Tea", **base))
    async with db.reader() as reader:
        (row,) = await reader.fetch("select slug, revision from events")
    headers = await api(site, user_id)
    async with signed_in(site, user_id) as browser:
        path = f"/events/{row['slug']}/edit"
        form = await opened(browser, path) | {"time_zone": "Europe/Berlin", "visibility": "public"}
        read = await browser.get(f"/api/events/{row['slug']}", headers=headers)
        await apply_messages(db, event(1, "tea", 2, "Cocoa", **base))
        stale = await browser.post(path, data=form | {"door_note": "Ring twice"})
        assert stale.status_code == 409
        assert "</strong> Cocoa" in stale.text
        body = {"title": "Tea", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        versioned = headers | {"if-match": read.headers["etag"]}
        late = await browser.put(f"/api/events/{row['slug']}", json=body, headers=versioned)
        assert (late.status_code, late.json()["title"]) == (412, "InvalidSwap")
        cancelled = await browser.post(f"/api/events/{row['slug']}/cancel", json={}, headers=versioned)
        deleted = await browser.delete(f"/api/events/{row['slug']}", headers=versioned)
        assert (cancelled.status_code, deleted.status_code) == (412, 412)
    clock.turn(SECOND)
    await apply_messages(db, event(1, "tea", 3, "Cocoa", unknown="field", **base))
    async with db.reader() as reader:
        (now,) = await reader.fetch("select title, revision, record_uri from events")
        publications = await reader.fetch("select subject_id from publications")
    assert (now["title"], now["revision"]) == ("Cocoa", row["revision"] + 1), "the last version changed nothing here"
    assert now["record_uri"] == f"at://{did(1)}/{EVENT}/tea"
    assert publications == []
