"""``near`` with a place name: on the page, in the API, in feeds and in saved searches."""

import re
from html import unescape
from urllib.parse import parse_qs

import pytest

from openmeet.domain.places.gazetteer import Gazetteer
from tests.openmeet.places.located_events import BERLIN, POTSDAM, place_event_at
from tests.openmeet.site_under_test import Site, api_session, change_services, event_by, h1_of, person, site_on


@pytest.fixture
async def site(make_database, clock, world: Gazetteer) -> Site:
    site = site_on(await make_database("openmeet"), clock)
    change_services(site.app, places=world)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await place_event_at(tx, await event_by(tx, ana, title="In Berlin"), BERLIN)
        await place_event_at(tx, await event_by(tx, ana, title="In Potsdam"), POTSDAM)
        await place_event_at(tx, await event_by(tx, ana, title="Far away"), ("48.14", "11.58"))
    return site


async def test_a_town_is_found_by_its_name(site: Site) -> None:
    async with site.browser() as browser:
        page = (await browser.get("/", params={"near": "Berlin", "within": "10"})).text
        listed = (await browser.get("/api/events", params={"near": "berlin", "within": "40"})).json()["events"]
        by_number = (await browser.get("/api/events", params={"near": "geonames:2950159", "within": "10"})).json()[
            "events"
        ]
        feed = (await browser.get("/events.json", params={"near": "Berlin", "within": "10"})).json()
    assert "In Berlin" in page
    assert "Far away" not in page
    assert 'value="Berlin"' in page
    assert {one["title"] for one in listed} == {"In Berlin", "In Potsdam"}
    assert [one["title"] for one in by_number] == ["In Berlin"]
    assert [one["title"] for one in feed["items"]] == ["In Berlin"]
    assert "near Berlin" in feed["title"]


async def test_an_ambiguous_town_offers_a_choice(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get("/", params={"near": "Springfield", "q": "tea"})
        answer = await browser.get("/api/events", params={"near": "Springfield"})
        assert page.status_code == 200
        assert "Which Springfield do you mean?" in page.text
        assert "Springfield (Illinois, United States)" in page.text
        assert 'value="tea"' in page.text
        (link,) = re.findall(r'<a href="([^"]+)">Springfield \(Illinois, United States\)</a>', page.text)
        chosen = await browser.get(link.replace("&amp;", "&"))
    assert answer.status_code == 400
    assert "Springfield (Missouri, United States)" in answer.text
    assert chosen.status_code == 200
    assert 'value="Springfield (Illinois, United States)"' in chosen.text


async def test_the_api_lists_the_choices_of_an_ambiguous_town(site: Site) -> None:
    async with site.browser() as browser:
        headers = await api_session(browser, "ben@example.org", "Ben")
        answer = await browser.get("/api/events", params={"near": "Springfield"})
        unknown = await browser.get("/api/events", params={"near": "Qqqqqq"})
        kept = await browser.post("/api/searches", json={"query": "near=Springfield"}, headers=headers)
        first = answer.json()["choices"][0]
        chosen = await browser.get("/api/events", params={"near": f"geonames:{first['placeId']}"})
        shown = await browser.get(f"/api/places/{first['placeId']}")
        described = (await browser.get("/api/openapi.json")).json()
    assert answer.status_code == kept.status_code == 400
    assert first | {"placeId": 0, "latitude": "", "longitude": ""} == {
        "placeId": 0,
        "name": "Springfield",
        "label": "Springfield (Missouri, United States)",
        "region": "Missouri",
        "country": "US",
        "countryName": "United States",
        "latitude": "",
        "longitude": "",
        "timeZone": "America/Chicago",
    }
    assert len(answer.json()["choices"]) == 10
    assert kept.json()["choices"] == answer.json()["choices"]
    assert chosen.status_code == 200
    assert shown.json() == first
    assert unknown.status_code == 400
    assert "choices" not in unknown.json()
    refused = described["paths"]["/api/events"]["get"]["responses"]["400"]["content"]["application/problem+json"]
    assert refused["example"]["choices"][0]["label"] == "Neukölln (near Berlin, Germany)"


async def test_the_number_of_places_can_be_limited(site: Site) -> None:
    async with site.browser() as browser:
        counts = [
            len((await browser.get("/api/places", params={"q": "sa", **limit})).json()["places"])
            for limit in ({}, {"limit": "1"}, {"limit": "50"})
        ]
        refused = [(await browser.get("/api/places", params={"q": "sa", "limit": text})) for text in ("0", "51", "ten")]
    assert counts == [10, 1, 50]
    assert [answer.status_code for answer in refused] == [400] * 3
    assert "from 1 to 50" in refused[0].json()["fields"]["limit"]


async def test_a_postal_code_is_not_read_as_a_place_id(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get("/", params={"near": "2950159"})
    assert page.status_code == 400
    assert "find a town with this name" in page.text


async def test_an_unknown_town_explains_what_to_type(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get("/", params={"near": "Qqqqqq"})
    assert page.status_code == 400
    assert "find a town with this name" in page.text
    assert 'value="Qqqqqq"' in page.text


async def test_a_misspelt_town_offers_similar_names(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get("/", params={"near": "Neukoln", "q": "tea"})
        assert page.status_code == 200
        assert "We couldn’t find “Neukoln”. Did you mean one of these?" in page.text
        links = re.findall(r'<a href="([^"]+)">Neukölln \(', page.text)
        chosen = await browser.get(links[0].replace("&amp;", "&"))
    assert "Neukölln" in h1_of(chosen.text)
    assert 'value="tea"' in chosen.text


async def test_a_saved_search_keeps_its_coordinates(site: Site) -> None:
    """The saved search stores coordinates, so it still works if the place list changes."""
    async with site.browser() as browser:
        headers = await api_session(browser, "ben@example.org", "Ben")
        kept = await browser.post("/api/searches", json={"query": "near=Köln&within=10"}, headers=headers)
        change_services(site.app, places=None)
        asked = kept.json()["query"]
        again = await browser.get(f"/api/events?{asked}")
    assert kept.status_code == 201, kept.text
    assert kept.json()["name"] == "near Köln"
    assert parse_qs(asked)["near"] == ["Köln @50.93333,6.95"]
    assert again.status_code == 200


async def test_places_are_completed_from_the_beginning_of_a_name(site: Site) -> None:
    async with site.browser() as browser:
        found = await browser.get("/api/places", params={"q": "neuk"})
        one = await browser.get("/api/places/2950159")
        nothing = await browser.get("/api/places/1")
        long = await browser.get("/api/places", params={"q": "a" * 101})
    assert found.json()["places"][0]["label"] == "Neukölln (near Berlin, Germany)"
    assert "GeoNames" in found.json()["credit"]
    assert one.json()["timeZone"] == "Europe/Berlin"
    assert (nothing.status_code, long.status_code) == (404, 400)


async def test_a_large_city_is_not_described_by_a_larger_one(site: Site) -> None:
    """Leipzig is 100 km from Dresden, and everybody knows it."""
    async with site.browser() as anybody:
        found = await anybody.get("/api/places", params={"q": "Leipzig"})
    assert found.json()["places"][0]["label"] == "Leipzig (Germany)"


async def test_names_cannot_be_searched_until_the_list_is_built(site: Site, tmp_path) -> None:
    places = Gazetteer(tmp_path / "places.db", waits_seconds=0)
    change_services(site.app, places=places)
    async with site.browser() as browser:
        page = await browser.get("/", params={"near": "Berlin", "q": "tea"})
        answer = await browser.get("/api/places", params={"q": "berl"})
        by_point = await browser.get("/", params={"near": "52.52,13.4", "within": "10"})
    await places.close()
    assert "being prepared" in page.text
    assert 'value="tea"' in page.text
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "In Berlin" in by_point.text


async def test_a_town_in_a_search_leads_to_events_near_it(site: Site) -> None:
    """The town's name is not treated as a misspelling of another word. If no event contains the word, the events near
    the town are shown.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Boat at Friedrichshagen")
    async with site.browser() as browser:
        by_name = (await browser.get("/", params={"q": "neukoelln", "mode": "in_person"})).text
        other = (await browser.get("/", params={"q": "Friedrichshain"})).text
    assert "near=Neuk%C3%B6lln" in by_name.partition('class="named"')[2]
    assert "mode=in_person" in by_name.partition('class="named"')[2].partition("</section>")[0]
    assert "Events near Neukölln" in by_name
    assert "In Berlin" in by_name.partition('id="others"')[2]
    assert "These match" not in other
    assert "Near Friedrichshain" in other


async def test_the_word_before_a_place_is_not_searched_for(site: Site) -> None:
    async with site.browser() as browser:
        page = (await browser.get("/", params={"q": "cooking in Berlin"})).text
    assert "q=cooking&amp;near=Berlin" in page
    assert "“cooking” near Berlin" in page


async def test_a_place_keeps_the_name_that_was_typed(site: Site) -> None:
    """The list calls Munich by the name that the person typed. The place can also be the last of several words."""
    async with site.browser() as browser:
        town = (await browser.get("/", params={"q": "München"})).text
        (link,) = re.findall(r'<a href="(/[?]near=[^"]*)"', town.partition('class="named"')[2])
        around = (await browser.get(unescape(link))).text
        typed = (await browser.get("/", params={"near": "muenchen"})).text
        by_number = (await browser.get("/", params={"near": "geonames:2867714"})).text
        words = (await browser.get("/", params={"q": "far München"})).text
    assert "Near München" in town
    assert "Events near München" in around
    assert "Far away" in around
    assert "Events near Muenchen" in typed
    assert "Events near Munich" in by_number
    assert "“far” near München" in words
    assert "q=far" in words.partition('class="named"')[2].partition("</section>")[0]
    assert "Far away" in words
