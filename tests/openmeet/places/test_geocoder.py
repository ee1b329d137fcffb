"""A geocoder chosen by the operator: streets and venues from a server that is not trusted and can be unavailable."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape

import pytest

from groundwork.cache.in_process import InProcessCache
from groundwork.clock import MINUTE, SECOND, HandClock
from groundwork.errors import Unavailable
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.geocoder import Geocoder, GeocoderKind, GeocoderSettings, StreetAddress, addresses_in
from openmeet.settings import Settings
from openmeet.settings_checks import contradictions
from tests.databases import MakeDatabase
from tests.openmeet.places.geocoder_server import NOMINATIM, STREET, VENUE, GeocoderServer, geocoder_server
from tests.openmeet.places.located_events import place_event_at
from tests.openmeet.site_under_test import Site, change_services, event_by, inputs_of, person, signed_in, site_on
from tests.timeouts import TIMEOUT_SECONDS

CREDIT = "© OpenStreetMap contributors"
AGENT = "OpenMeet/1 (https://events.example; us@events.example)"


@pytest.fixture
async def server() -> AsyncIterator[GeocoderServer]:
    async with geocoder_server() as running:
        yield running


@pytest.fixture
async def geocoder(server: GeocoderServer, clock: HandClock, world: Gazetteer) -> AsyncIterator[Geocoder]:
    http = HttpClient(DEVELOPMENT)
    settings = GeocoderSettings(GeocoderKind.PHOTON, server.url, CREDIT, AGENT, timeout_seconds=TIMEOUT_SECONDS)
    yield Geocoder(settings, http, InProcessCache(clock), InProcessCounters(), clock, world)
    await http.close()


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock, world: Gazetteer, geocoder: Geocoder) -> Site:
    site = site_on(await make_sqlite("openmeet"), clock)
    change_services(site.app, places=world, geocoder=geocoder)
    return site


async def test_photon_is_called_and_its_response_understood(server: GeocoderServer, geocoder: Geocoder) -> None:
    """Only the typed text, the language and our user agent are sent. The time zone comes from the site's place list."""
    street, venue = await geocoder.find("  Sonnenallee   98 ", "de")
    (asked,) = server.asked
    assert (asked.url.path, dict(asked.query_params)) == ("/api", {"q": "Sonnenallee 98", "limit": "6", "lang": "de"})
    assert asked.headers["user-agent"] == AGENT
    assert not {"cookie", "referer", "x-forwarded-for"} & set(asked.headers)
    assert street == StreetAddress("", "Sonnenallee 98", "12045", "Berlin", "", "DE", 52.4811, 13.4358, "Europe/Berlin")
    assert (venue.name, venue.street, venue.zone) == ("Village Hall", "7 Old Street", "Europe/London")
    await geocoder.find("Rua Augusta", "pt")
    assert server.asked[-1].query_params["lang"] == "default", "the server refuses other languages"


async def test_nominatim_is_called_once_a_second_and_never_twice_for_the_same(
    server: GeocoderServer, geocoder: Geocoder, clock: HandClock
) -> None:
    geocoder.settings = replace(geocoder.settings, kind=GeocoderKind.NOMINATIM)
    server.answer = [NOMINATIM]
    (found,) = await geocoder.find("Atelier Süd", "de")
    assert (found.line, found.country, found.zone) == (
        "Atelier Süd, Sonnenallee 98, 12045 Berlin",
        "DE",
        "Europe/Berlin",
    )
    assert await geocoder.find("atelier süd", "de") == [found]
    assert len(server.asked) == 1
    assert dict(server.asked[0].query_params)["accept-language"] == "de"
    with pytest.raises(Unavailable):
        await geocoder.find("Kino", "de")
    assert len(server.asked) == 1
    clock.turn(SECOND + 1)
    await geocoder.find("Kino", "de")
    assert len(server.asked) == 2


HOSTILE: dict[str, object] = {
    "no object": [1, None, "x"],
    "a number": 7,
    "features that are no list": {"features": {"0": STREET}},
    "numbers for texts": {
        "features": [{"geometry": {"coordinates": [1, 2]}, "properties": {"name": 5, "street": ["a"], "city": None}}]
    },
    "points off the Earth": {
        "features": [
            {**STREET, "geometry": {"coordinates": point}}
            for point in ([200, 1], [1, 91], ["x", 1], [True, 1], [1], [1, 2, 3], None, [1e400, 1])
        ]
    },
    "deep": b"[" * 100_000,
    "not text": b"\xff\xfe{}",
    "infinity": b'{"features":[{"geometry":{"coordinates":[Infinity,1]},"properties":{"name":"a"}}]}',
    "half a character": b'{"features":[{"properties":{"name":"\\ud800"}}]}',
    "nothing": b"",
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
async def test_invalid_response_gives_no_address(server: GeocoderServer, geocoder: Geocoder, answer: object) -> None:
    server.answer = answer
    for kind in GeocoderKind:
        geocoder.settings = replace(geocoder.settings, kind=kind)
        try:
            found = await geocoder.find("Street", "en")
        except Unavailable:
            found = []
        assert found == []


def test_long_responses_are_cut_and_texts_are_single_lines() -> None:
    long = {**VENUE, "properties": {**VENUE["properties"], "name": "A\n,\u202eb" + "x" * 5_000}}
    many = {"features": [{**long, "properties": {**long["properties"], "street": f"S {n}"}} for n in range(5_000)]}
    found = addresses_in(many, GeocoderKind.PHOTON)
    assert len(found) == 6
    assert found[0].name.startswith("A bx")
    assert len(found[0].name) <= 200


async def test_failing_server_is_not_called_for_a_while(
    server: GeocoderServer, geocoder: Geocoder, clock: HandClock
) -> None:
    """Endless, slow, broken and redirecting responses: each server is called once, and the next search does not wait
    for it.
    """
    for wrong in ("is_endless", "is_silent", "leads_elsewhere"):
        setattr(server, wrong, True)
        patient = geocoder.settings
        geocoder.settings = replace(patient, timeout_seconds=0.01 if server.is_silent else TIMEOUT_SECONDS)
        before = len(server.asked)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await geocoder.find(f"Street {wrong}", "en")
        assert len(server.asked) == before + 1
        assert geocoder.state == "fails"
        setattr(server, wrong, False)
        geocoder.settings = patient
        clock.turn(MINUTE)
        assert await geocoder.find(f"Street {wrong}", "en")
        assert geocoder.state == "answers"


async def test_private_geocoder_address_is_refused_by_the_public_client(
    server: GeocoderServer, geocoder: Geocoder
) -> None:
    http = HttpClient(PUBLIC)
    geocoder.http = http
    with pytest.raises(Unavailable):
        await geocoder.find("Street", "en")
    await http.close()
    assert server.asked == []


async def test_a_search_near_a_street_finds_events(site: Site, server: GeocoderServer) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await place_event_at(tx, await event_by(tx, ana, title="Painting"), ("52.4811", "13.4358"))
    async with site.browser() as anybody:
        town = await anybody.get("/", params={"near": "Berlin"})
        assert server.asked == [], "a known place causes no request"
        choice = await anybody.get("/", params={"near": "Sonnenallee 98", "q": "painting"})
        links = re.findall(r'<a href="([^"]*)">Sonnenallee 98, 12045 Berlin \(Germany\)</a>', choice.text)
        found = await anybody.get(unescape(links[0]))
        server.answer = {"features": [STREET]}
        one = await anybody.get("/", params={"near": "Sonnenallee 98, Berlin", "view": "map"})
        followed = await anybody.get(one.headers["location"])
    assert town.status_code == 200
    assert CREDIT in choice.text
    assert "Painting" in found.text
    assert "Events near Sonnenallee 98, 12045 Berlin" in found.text
    assert one.status_code == 303
    assert 'class="map-pin ' in followed.text


async def test_event_place_can_be_chosen_from_the_results(site: Site, server: GeocoderServer) -> None:
    """Without scripts the button searches, and the choice fills in address, coordinates and time zone. Markup is shown
    as text.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    evil = {**STREET["properties"], "street": '"><script>alert(1)</script>', "city": "{{ 7 * 7 }}"}
    server.answer = {"features": [STREET, {**STREET, "properties": evil}]}
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {"title": "Paint", "mode": "in_person", "place": "Studio, Sonnenallee 98", "find_place": "yes"}
        asked = await browser.post("/events/new", data={**fields, **typed, "time_zone": fields["suggested_zone"]})
        (key,) = re.findall(r'value="(address:[0-9a-f]+)"[^>]*>Sonnenallee 98, 12045', asked.text)
        chosen = {**inputs_of(asked.text), "mode": "in_person", "place_choice": key}
        page = await browser.post("/events/new", data={**chosen, "time_zone": fields["suggested_zone"]})
    assert CREDIT in asked.text
    assert "<script>alert(1)" not in asked.text
    assert "&lt;script&gt;" in asked.text
    found = inputs_of(page.text)
    assert (found["venue_name"], found["street"], found["postal_code"], found["locality"], found["country"]) == (
        "Studio",
        "Sonnenallee 98",
        "12045",
        "Berlin",
        "Germany",
    )
    assert found["point"] == "52.4811, 13.4358"
    assert found["place"] == "Studio, Sonnenallee 98, 12045 Berlin"


async def test_only_a_geocoder_of_ones_own_is_called_while_typing(
    site: Site, server: GeocoderServer, geocoder: Geocoder
) -> None:
    async with site.browser() as anybody:
        typing = (await anybody.get("/places/choices", params={"q": "Sonnenallee 98"})).text
        assert server.asked == []
        by_button = (await anybody.get("/places/choices", params={"q": "Sonnenallee 98", "streets": "yes"})).text
        geocoder.settings = replace(geocoder.settings, while_typing=True)
        own = (await anybody.get("/places/choices", params={"q": "Sonnenallee 99"})).text
    assert "data-asks-streets" in typing
    assert "12045 Berlin" in by_button
    assert "12045 Berlin" in own
    assert "data-asks-streets" not in own


async def test_without_a_response_towns_are_found(site: Site, server: GeocoderServer) -> None:
    server.status = 500
    async with site.browser() as anybody:
        town = (await anybody.get("/places/choices", params={"q": "Neuk", "streets": "yes"})).text
        near = await anybody.get("/", params={"near": "Berlin"})
        street = await anybody.get("/", params={"near": "Sonnenallee 98"})
    assert "Neukölln (near Berlin, Germany)" in town
    assert "We can’t look up streets right now. Try a town." in town
    assert near.status_code == 200
    assert "We can’t look up streets right now. Try a town." in street.text


async def test_searches_per_client_are_limited(site: Site, server: GeocoderServer, clock: HandClock) -> None:
    change_services(site.app, settings=replace(site.app.state.services.settings, dev_limits=True))
    async with site.browser() as anybody:
        statuses = []
        for number in range(22):
            clock.turn(SECOND)
            asked = await anybody.get("/places/choices", params={"q": f"Street {number}", "streets": "yes"})
            statuses.append(asked.status_code)
    assert statuses == [200] * 20 + [429] * 2
    assert len(server.asked) == 20


def test_contradictory_settings_stop_the_start() -> None:
    def wrong(**changes: object) -> list[str]:
        return [one for one in contradictions(replace(Settings(), **changes)) if "GEOCODER" in one]  # type: ignore[arg-type]  # each is tried

    photon, url = {"geocoder": "photon"}, {"geocoder_url": "https://photon.example.org"}
    assert wrong() == wrong(**photon, **url) == wrong(**photon, geocoder_url="http://photon:2322") == []
    assert wrong(**url)
    assert wrong(**photon, geocoder_url="photon.example.org")
    assert wrong(**photon, geocoder_url="https://me:secret@photon.example.org")
    assert wrong(**photon, **url, geocoder_credit="")
    assert wrong(geocoder="nominatim", **url)
    assert wrong(geocoder="nominatim", **url, contact="us@example.org") == []
    assert wrong(geocoder="nominatim", **url, contact="us@example.org", geocoder_while_typing=True)
