"""The small map on the page of an event shows what the viewer may know about its place, and nothing else."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from openmeet.domain.events import town_positions
from openmeet.domain.events.model import Event
from openmeet.domain.places.gazetteer import Gazetteer
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, change_services, event_by, person, signed_in, site_on

HERE = "52.5485, 13.3612"


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock, world: Gazetteer) -> Site:
    site = site_on(await make_sqlite("openmeet"), clock)
    change_services(site.app, places=world)
    return site


async def map_on(site: Site, event: Event) -> str:
    """The map on the event's page for somebody who is not signed in; empty if there is none."""
    async with site.browser() as anybody:
        page = (await anybody.get(f"/events/{event.slug}")).text
    _, _, rest = page.partition('<a class="place-map"')
    return rest.partition("</section>")[0]


async def test_a_known_place_has_a_marker_and_leads_to_the_events_nearby(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Supper", venue_name="Kiezküche", locality="Berlin", point=HERE)
    drawn = await map_on(site, event)
    assert drawn.count("map-marker") == 1
    assert "map-ring" not in drawn
    assert 'aria-label="Events near Kiezküche on the map"' in unescape(drawn)
    assert "GeoNames" in drawn
    async with site.browser() as anybody:
        nearby = (await anybody.get(unescape(re.findall(r'href="([^"]*)"', drawn)[0]))).text
    assert "Events near Kiezküche" in unescape(nearby)
    assert "Supper" in nearby


async def test_of_a_town_only_a_ring_is_shown(site: Site, world: Gazetteer) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Somewhere in town", locality="Berlin")
    await town_positions.derive_positions_and_zones(site.db, world)
    drawn = await map_on(site, event)
    assert "map-ring" in drawn
    assert "map-marker" not in drawn


async def test_a_hidden_place_is_on_the_map_of_its_host_only(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Hidden", locality="Berlin", point=HERE, place_audience="attendees")
    assert await map_on(site, event) == ""
    async with signed_in(site, ana.user_id) as browser:
        assert "map-marker" in (await browser.get(f"/events/{event.slug}")).text


async def test_online_events_and_events_without_a_place_have_no_map(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        call = await event_by(tx, ana, title="Call", mode="online")
        later = await event_by(tx, ana, title="Place to be announced")
    assert await map_on(site, call) == await map_on(site, later) == ""


async def test_tiles_are_loaded_only_when_they_are_seen(site: Site, tmp_path: Path) -> None:
    """Far below the first screen, they are no part of the first load."""
    for x in range(8790, 8810):
        (tmp_path / "14" / f"{x}").mkdir(parents=True)
        for y in range(5360, 5385):
            (tmp_path / "14" / f"{x}" / f"{y}.png").write_bytes(b"png")
    change_services(site.app, settings=replace(site.app.state.services.settings, map_tiles=tmp_path))
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Supper", point=HERE)
    drawn = await map_on(site, event)
    tiles = re.findall(r'<img src="/tiles/14/[^>]*>', drawn)
    assert tiles
    assert all('loading="lazy"' in one for one in tiles)
    assert "map-part" not in drawn
