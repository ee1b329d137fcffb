"""A new link for an unlisted event: the old link stops working for strangers and redirects people who have access."""

import re

import pytest

from openmeet.domain import slugs
from openmeet.domain.groups import queries as groups
from openmeet.domain.groups.model import GroupId, GroupSlug
from openmeet.domain.slugs import LinkKind
from tests.openmeet.series.api_client import WEEKLY_PRACTICE
from tests.openmeet.site_under_test import api_session, sign_up, site_on

OLD = "supper-club-7kqmz"
EVENT = {
    "title": "Supper club",
    "startsLocal": "2026-07-07T18:00",
    "endsLocal": "2026-07-07T20:00",
    "timeZone": "Europe/Berlin",
    "visibility": "unlisted",
}


GROUP = {
    "name": "Supper club",
    "visibility": "unlisted",
    "timeZone": "Europe/Berlin",
    "locality": "Berlin",
    "country": "DE",
}


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def aged(site, table: str) -> None:
    """Give the row a link from the time before links had ten random characters."""
    async with site.db.transaction() as tx:
        assert await tx.execute(f"update {table} set slug = :slug", slug=OLD) == 1


async def test_a_new_link_for_an_event(site):
    async with site.browser() as host, site.browser() as guest, site.browser() as stranger:
        ana, ben = await api_session(host, "ana@example.org", "Ana"), await api_session(guest, "ben@example.org", "Ben")
        await host.post("/api/events", json=EVENT, headers=ana)
        await aged(site, "events")
        old = f"/events/{OLD}"
        assert (await guest.put(f"/api{old}/answer", json={"reply": "going"}, headers=ben)).status_code == 200
        assert (await stranger.get(old)).status_code == 200
        assert (await guest.post(f"/api{old}/new-link", headers=ben)).status_code == 403
        await sign_up(host, "ana@example.org", "Ana")
        await sign_up(guest, "ben@example.org", "Ben")
        page = await host.get(old)
        assert f"{old}/new-link" in page.text
        asked = (await host.get(f"{old}/new-link")).text
        assert "Create a new link?" in asked
        assert re.search(rf'way-back of-subject"><a href="{old}">.*<strong>Supper club</strong>', asked)
        assert (await guest.get(f"{old}/new-link")).status_code == 403
        made = await host.post(f"{old}/new-link")
        assert made.status_code == 303
        new = made.headers["location"].partition("?")[0]
        assert new != old
        assert len(new.rpartition("-")[2]) == 10
        assert (await stranger.get(new)).status_code == 200
        gone = await stranger.get(old)
        assert (gone.status_code, "Ask a host for the new one" in gone.text) == (410, True)
        assert (await stranger.get(f"/api{old}")).status_code == 410
        for known in (host, guest):
            followed = await known.get(old)
            assert (followed.status_code, followed.headers["location"]) == (303, new)
        assert (await host.post(f"{old}/new-link")).status_code == 404, "an old link has nothing to replace"
        assert (await stranger.get("/events/never-there")).status_code == 404


async def test_a_new_link_for_a_series_changes_its_dates_too(site):
    async with site.browser() as host, site.browser() as stranger:
        ana = await api_session(host, "ana@example.org", "Ana")
        made = await host.post("/api/series", json=WEEKLY_PRACTICE | {"visibility": "unlisted"}, headers=ana)
        old = made.headers["location"].removeprefix("/api")
        async with site.db.reader() as reader:
            dates = [row["slug"] for row in await reader.fetch("select slug from events order by starts_at")]
        await sign_up(host, "ana@example.org", "Ana")
        asked = (await host.get(f"{old}/new-link")).text
        assert re.search(rf'way-back of-subject"><a href="{old}">.*<strong>{WEEKLY_PRACTICE["title"]}</strong>', asked)
        answer = await host.post(f"/api{old}/new-link", headers=ana)
        assert answer.status_code == 200, answer.text
        new = f"/series/{answer.json()['slug']}"
        assert (await stranger.get(new)).status_code == 200
        assert [(await stranger.get(path)).status_code for path in (old, f"/api{old}", f"/events/{dates[0]}")] == [
            410
        ] * 3
        async with site.db.reader() as reader:
            after = [row["slug"] for row in await reader.fetch("select slug from events order by starts_at")]
        assert len(after) == len(dates)
        assert not set(after) & set(dates)
        assert (await stranger.get(f"/events/{after[0]}")).status_code == 200


async def test_a_new_link_for_a_group_ends_every_earlier_one(site):
    async with site.browser() as host, site.browser() as stranger:
        ana = await api_session(host, "ana@example.org", "Ana")
        made = await host.post("/api/groups", json=GROUP, headers=ana)
        assert made.status_code == 201, made.text
        await aged(site, "groups")
        await sign_up(host, "ana@example.org", "Ana")
        asked = (await host.get(f"/groups/{OLD}/new-link")).text
        assert re.search(rf'way-back of-subject"><a href="/groups/{OLD}">.*<strong>Supper club</strong>', asked)
        answer = await host.post(f"/api/groups/{OLD}/new-link", headers=ana)
        assert answer.status_code == 200, answer.text
        assert (await stranger.get(f"/groups/{answer.json()['slug']}")).status_code == 200
        assert (await stranger.get(f"/groups/{OLD}")).status_code == 410
        assert (await stranger.get(f"/api/groups/{OLD}")).status_code == 410
        # Programs may use the id of a group instead of its slug. It never changes, so it opens no unlisted group.
        by_id = f"/groups/{made.json()['id']}"
        statuses = [(await stranger.get(path)).status_code for path in (by_id, f"/api{by_id}", f"{by_id}.atom")]
        assert statuses == [404] * 3
        assert (await host.get(f"/api{by_id}", headers=ana)).status_code == 200
        async with site.db.reader() as reader:
            assert await groups.is_slug_taken(reader, GroupSlug(OLD), by_others_than=GroupId("another"))
            assert await slugs.subject_of(reader, LinkKind.GROUP, OLD) is not None


@pytest.mark.parametrize("kind", ["events", "series"])
async def test_public_events_get_no_new_link(site, kind: str):
    body = EVENT | {"visibility": "public"} if kind == "events" else WEEKLY_PRACTICE
    async with site.browser() as host:
        ana = await api_session(host, "ana@example.org", "Ana")
        path = (await host.post(f"/api/{kind}", json=body, headers=ana)).headers["location"]
        assert (await host.post(f"{path}/new-link", headers=ana)).status_code == 422
