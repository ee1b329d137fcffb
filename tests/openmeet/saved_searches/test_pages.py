"""Saved searches on pages and in the API."""

import re

import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, inputs_of, sign_up, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


async def test_a_search_is_saved_from_its_results_muted_and_removed(site: Site) -> None:
    async with site.browser() as ana:
        asked = "/?q=jazz&category=music"
        assert "/sign-in?next=/%3Fq%3Djazz%26category%3Dmusic" in (await ana.get(asked)).text
        await sign_up(ana, "ana@example.org", "Ana")
        shown = (await ana.get(asked)).text
        (form,) = re.findall(r'<form class="actions" method="post" action="/my/searches".*?</form>', shown, re.DOTALL)
        kept = await ana.post("/my/searches", data=inputs_of(form) | {"act": "keep"})
        assert kept.headers["location"] == "/my/searches"
        listed = (await ana.get("/my/searches")).text
        assert '<a href="/?q=jazz&amp;category=music"><strong>jazz, Music</strong></a>' in listed
        search = inputs_of(listed)["search"]
        for act, words in (
            ("off", "Muted: no notifications"),
            ("on", "News since"),
            ("remove", "You have no saved searches"),
        ):
            assert (await ana.post("/my/searches", data={"act": act, "search": search})).status_code == 303
            assert words in (await ana.get("/my/searches")).text
        assert (await ana.post("/my/searches", data={"act": "remove", "search": search})).status_code == 404
        refused = await ana.post("/my/searches", data={"act": "keep", "mode": "online"})
        assert (refused.status_code, "Nearly every event" in refused.text) == (422, True)


@pytest.mark.parametrize("asked", ["/", "/?mode=online", "/?q=%3F%3F", "/?from=soon"])
async def test_a_search_that_cannot_be_saved_is_not_offered(site: Site, asked: str) -> None:
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        assert "/my/searches" not in (await ana.get(asked)).text


async def test_by_the_api(site: Site) -> None:
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        made = await client.post("/api/searches", json={"query": "?q=jazz&near=52.5,13.4&cursor=x"}, headers=ana)
        assert made.status_code == 201, made.text
        kept = made.json()
        assert (kept["query"], kept["name"], kept["isOn"]) == ("q=jazz&near=52.5%2C13.4", "jazz, near 52.5,13.4", True)
        switched = await client.put(f"/api/searches/{kept['id']}", json={"isOn": False}, headers=ana)
        assert switched.json()["isOn"] is False
        assert (await client.get("/api/searches", headers=ana)).json() == {
            "searches": [switched.json()],
            "cursor": None,
        }
        ben = await api_session(client, "ben@example.org", "Ben")
        assert (await client.delete(f"/api/searches/{kept['id']}", headers=ben)).status_code == 404
        assert (await client.delete(f"/api/searches/{kept['id']}", headers=ana)).status_code == 204
        wide = await client.post("/api/searches", json={"query": "mode=online"}, headers=ana)
        assert (wide.status_code, wide.json()["title"]) == (422, "TooWide")
