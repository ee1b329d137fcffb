"""The map of search results: pins in list order, no pin hides another, no requests to other hosts, and filters in the
URL.
"""

import re
from dataclasses import replace
from html import unescape
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmeet.domain.events import town_positions
from openmeet.domain.events.town_positions import EventPosition
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.model import Place
from openmeet.web.search import map_areas, map_drawing
from openmeet.web.search.map_areas import Tint
from openmeet.web.search.map_drawing import DESK, PHONE, MapEvent, MapTile, MapView
from tests.databases import MakeDatabase
from tests.openmeet.places.located_events import BERLIN, POTSDAM, place_event_at
from tests.openmeet.site_under_test import Site, change_services, event_by, person, site_on

FIJI, SAMOA = (-17.8, 178.0), (-13.8, -172.1)


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock, world: Gazetteer) -> Site:
    site = site_on(await make_sqlite("openmeet"), clock)
    change_services(site.app, places=world)
    return site


def pins_in(page: str) -> list[str]:
    """The names of the pins on the large map."""
    large = page.split("map-desk")[1].split("</svg>", maxsplit=1)[0]
    return [
        unescape(name).partition(",")[0] for name in re.findall(r'class="map-pin[^"]*" aria-label="([^"]*)"', large)
    ]


async def test_pins_are_links_in_list_order(site: Site, world: Gazetteer) -> None:
    """Events with only a town are shown as a ring. Events with hidden addresses and online events are not on the map."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await place_event_at(tx, await event_by(tx, ana, title="Later", starts="2026-07-05T18:00", ends=""), POTSDAM)
        await place_event_at(tx, await event_by(tx, ana, title="Sooner", starts="2026-07-04T18:00"), BERLIN)
        await event_by(tx, ana, title="Somewhere in town", locality="Oranienburg", starts="2026-07-06T18:00", ends="")
        await event_by(tx, ana, title="Hidden", locality="Berlin", place_audience="attendees")
        await event_by(tx, ana, title="Call", mode="online")
    await town_positions.derive_positions_and_zones(site.db, world)
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"view": "map"})).text
    assert pins_in(page) == ["Sooner", "Later", "Somewhere in town"]
    large = page.split("map-desk")[1].split("</svg>")[0]
    assert large.count("map-ring") == 1
    assert "2 not on the map" in page
    assert not re.findall(r'(?:src|<image href)="(?!/|data:)', page), "nothing comes from another host"
    assert 'class="map-name' in large


async def test_events_at_one_place_share_a_pin_that_links_to_their_list(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(3):
            await place_event_at(tx, await event_by(tx, ana, title=f"Event {number}"), BERLIN)
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"view": "map"})).text
        assert pins_in(page) == ["3 events at Town library"]
        (path,) = set(re.findall(r'<a href="([^"]*)" class="map-pin ', page))
        listed = (await anybody.get(unescape(path))).text
    assert [f"Event {number}" in listed for number in range(3)] == [True] * 3


async def test_pins_of_several_events_are_named_after_their_places(site: Site) -> None:
    """Otherwise two of them could have the same name and lead to different lists."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for hall, town, place in (("Old hall", "Berlin", BERLIN), ("New hall", "Potsdam", POTSDAM)):
            for title in ("Choir", "Dance"):
                mode = "hybrid" if title == "Choir" else "in_person"
                event = await event_by(tx, ana, title=title, venue_name=hall, locality=town, mode=mode)
                await place_event_at(tx, event, place)
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"view": "map"})).text
        far = (await anybody.get("/", params={"view": "map", "at": "52.5,13.2,4"})).text
    names = re.findall(r'class="map-pin[^"]*" aria-label="([^"]*)"', page)
    assert set(names) == {f"2 events at {place}: show the list" for place in ("Old hall, Berlin", "New hall, Potsdam")}
    assert set(re.findall(r'class="map-pin[^"]*" aria-label="([^"]*)"', far)) == {
        "4 events around Old hall, Berlin: zoom in"
    }


async def test_an_event_of_which_only_the_town_is_known_is_not_the_nearest(site: Site, world: Gazetteer) -> None:
    """The middle of the town is the searched place, but the event is only known to be within five kilometres."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Somewhere", starts="2026-07-04T18:00", ends="", locality="Berlin", country="DE")
        near = await event_by(tx, ana, title="Near", starts="2026-07-05T18:00", ends="")
        await place_event_at(tx, near, ("52.5310", "13.4050"))
    assert await town_positions.derive_positions_and_zones(site.db, world) > 0
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"near": "52.5200,13.4050", "view": "map"})).text
    assert re.findall(r'class="away">([^<]*)<', page) == ["1.2 km", "about 5 km"]


async def test_with_a_map_the_nearest_events_come_first(site: Site) -> None:
    """Rows and pins have the same order, with their distances. Lists without a map and maps without a searched place
    are sorted by time.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        far = await event_by(tx, ana, title="Soon and far", starts="2026-07-04T18:00", ends="")
        await place_event_at(tx, far, ("52.5310", "13.4050"))
        near = await event_by(tx, ana, title="Late and near", starts="2026-07-05T18:00", ends="")
        await place_event_at(tx, near, ("52.5230", "13.4050"))
    place = {"near": "52.5200,13.4050", "within": "5"}
    async with site.browser() as anybody:
        beside = unescape((await anybody.get("/", params={**place, "view": "map"})).text)
        listed = (await anybody.get("/", params=place)).text
        anywhere = (await anybody.get("/", params={"view": "map"})).text
    titles = ["Late and near", "Soon and far"]
    assert re.findall(r'<h2><a href="/events/[^"]*">([^<]*)<', beside) == titles
    assert list(dict.fromkeys(pins_in(beside))) == titles
    assert re.findall(r'class="away">([^<]*)<', beside) == ["300 m", "1.2 km"]
    assert "2 events within 5 km" in beside
    in_time = ["Soon and far", "Late and near"]
    assert re.findall(r'<h3><a href="/events/[^"]*">([^<]*)<', listed) == in_time
    assert re.findall(r'<h[23]><a href="/events/[^"]*">([^<]*)<', anywhere) == in_time


async def test_without_pins_there_is_no_map(site: Site) -> None:
    """If a place was searched, the map is still shown, with a note that no event was found."""
    async with site.browser() as anybody:
        nothing = (await anybody.get("/", params={"view": "map", "q": "zzz"})).text
        here = (await anybody.get("/", params={"view": "map", "near": "Berlin"})).text
    assert "map-picture" not in nothing
    assert "Nothing matches" in nothing
    assert here.count('class="map-none"') == here.count('class="map-picture') == 2


async def test_a_moved_map_keeps_its_search(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await place_event_at(tx, await event_by(tx, ana, title="In Berlin"), BERLIN)
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"near": "Berlin", "within": "10", "view": "map"})).text
        assert "Events near Berlin" in page
        assert re.search(r'<strong class="away">\d+ k?m</strong>', page)
        closer = unescape(re.findall(r'class="map-control map-in" href="([^"]*)"', page)[0])
        assert "near=Berlin" in closer
        moved = await anybody.get(closer.partition("#")[0])
        assert "Search this area" in moved.text
        area = unescape(re.findall(r'class="map-area"><span>[^<]*</span> <a href="([^"]*)"', moved.text)[0])
        there = (await anybody.get(area)).text
        assert pins_in(there) == ["In Berlin"]
        assert re.search(r"<h1>Events near [A-Z]", there), "the area has the name of the place in it"
        for wrong in ("x", "1,2", "91,0,3", "0,0,99", "nan,0,3", "1e400,0,3"):
            assert (await anybody.get("/", params={"view": "map", "at": wrong})).status_code == 200


async def test_filters_combine_and_can_be_removed(site: Site) -> None:
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"q": "tea", "near": "52.5,13.4", "view": "map"})).text
        row = page.split('aria-label="Filters"')[1].split("</nav>")[0]
        chips = {
            unescape(re.sub(r"<span.*?</span>|<[^>]*>", "", words)).strip(): unescape(path)
            for path, words in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', row)
        }
        assert "q=tea" in chips["Food and drink"]
        assert "near=52.5" in chips["Food and drink"]
        assert "view=map" in chips["Food and drink"]
        assert "near" not in chips["Near me"]
        weekend = chips["This weekend"]
        again = (await anybody.get(weekend)).text
    (on,) = re.findall(r'<a href="([^"]*)" aria-current="true">This weekend', again)
    assert "from=" in weekend
    assert "from=" not in on
    assert "data-near-here" not in again


async def test_tiles_come_from_the_operators_folder(site: Site, tmp_path: Path) -> None:
    """Where there are none, the map is the overview, so no tile is missing. It does not zoom in further than the tiles."""
    (tmp_path / "11" / "1100").mkdir(parents=True)
    (tmp_path / "11" / "1100" / "671.png").write_bytes(b"\x89PNG")
    settings = site.app.state.services.settings

    change_services(site.app, settings=replace(settings, map_tiles=tmp_path, map_credit="© Us"))
    async with site.browser() as anybody:
        found = await anybody.get("/tiles/11/1100/671")
        missing = await anybody.get("/tiles/11/1100/672")
        outside = await anybody.get("/tiles/11/1100/..%2e")
        assert outside.status_code == 404
        page = (await anybody.get("/", params={"view": "map", "near": "52.52,13.405", "within": "1"})).text
        elsewhere = (await anybody.get("/", params={"view": "map", "near": "40.71,-74.0"})).text
    assert (found.status_code, found.headers["content-type"], missing.status_code) == (200, "image/png", 404)
    assert set(re.findall(r'href="(/tiles/[^"]*)"', page)) == {"/tiles/11/1100/671"}
    assert "© Us" in page
    assert "map-name" not in page
    assert "/tiles/" not in elsewhere
    assert "© Us" not in elsewhere


def test_places_across_the_date_line_are_near() -> None:
    view = map_drawing.view_of_positions([EventPosition(*FIJI), EventPosition(*SAMOA)], DESK)
    assert view is not None
    assert view.zoom >= 5
    events = [MapEvent(EventPosition(*point), "Sat 18:00", "x", "/x") for point in (FIJI, SAMOA)]
    drawing = map_drawing.draw_map(view, DESK, events, ())
    assert len(drawing.pins) == 2
    assert all(0 <= pin.x <= DESK.width for pin in drawing.pins)


@given(
    latitude=st.floats(-85, 85),
    longitude=st.floats(-180, 180),
    zoom=st.integers(1, 16),
    size=st.sampled_from([PHONE, DESK]),
)
def test_pixels_and_degrees_are_inverse_conversions(
    latitude: float, longitude: float, zoom: int, size: map_drawing.MapSize
) -> None:
    north, east = map_drawing.degrees(*map_drawing.pixels(latitude, longitude, zoom), zoom)
    assert abs(north - latitude) < 1e-6
    assert min(abs(east - longitude), 360 - abs(east - longitude)) < 1e-6
    view = MapView(latitude, longitude, zoom)
    south, west, up, right = map_drawing.bounds(view, size)
    assert south <= up
    assert west < right
    assert map_drawing.view_in(view.text) is not None


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=40))
def test_a_fitted_map_contains_all_its_events(points: list[tuple[float, float]]) -> None:
    """All pins are on the map, each event belongs to exactly one pin, and the pins are in the order of the events."""
    events = [MapEvent(EventPosition(*point), "Sat 18:00", str(number), "/") for number, point in enumerate(points)]
    view = map_drawing.view_of_positions([one.position for one in events], DESK)
    assert view is not None
    drawing = map_drawing.draw_map(view, DESK, events, ())
    firsts = [int(pin.events[0].spoken) for pin in drawing.pins]
    assert firsts == sorted(firsts)
    if view.zoom > map_drawing.MIN_ZOOM:
        assert sum(len(pin.events) for pin in drawing.pins) == len(events)


@given(st.lists(st.tuples(st.floats(52.3, 52.7), st.floats(13.1, 13.7)), min_size=2, max_size=12))
def test_no_pin_covers_another(points: list[tuple[float, float]]) -> None:
    """Neither with the label of one event nor with that of several."""
    labels = ("Sat 5 Dec", "Wed 10:00", "Wednesday 10:00")
    events = [
        MapEvent(EventPosition(*point), labels[number % 3], str(number), "/") for number, point in enumerate(points)
    ]
    view = map_drawing.view_of_positions([one.position for one in events], PHONE)
    assert view is not None
    for one, other in combinations(map_drawing.draw_map(view, PHONE, events, ()).pins, 2):
        assert abs(one.x - other.x) >= (one.width + other.width) // 2 or abs(one.y - other.y) >= 37


def test_the_denser_an_area_is_populated_the_stronger_its_tint() -> None:
    """With tiles, the map has neither areas nor names."""
    view = MapView(52.5, 13.4, 11)
    towns = [("Dense", 13.40, 900_000), ("Built", 13.44, 100_000), ("Green", 13.48, 2_000)]
    places = [
        Place(number, name, "DE", "", "", "", 52.5, east, people, "Europe/Berlin")
        for number, (name, east, people) in enumerate(towns)
    ]
    tiles = (MapTile(0, 0, "/tiles/11/1100/671"),)
    drawn, tiled = (map_drawing.draw_map(view, DESK, [], places, tiles=one) for one in ((), tiles))
    assert [area.tint for area in drawn.areas] == [Tint.GREEN, Tint.BUILT, Tint.DENSE]
    assert [one.name for one in drawn.names] == ["Dense", "Built", "Green"]
    assert (tiled.areas, tiled.names) == ((), ())


@given(st.lists(st.tuples(st.integers(-50, 450), st.integers(-50, 350)), min_size=1, max_size=30))
def test_areas_do_not_overlap(points: list[tuple[int, int]]) -> None:
    """Each area is within the box, within reach of its place and nearer to it than to any other place. So the sizes of
    all areas together are at most the size of the box.
    """
    box = (0, 0, 400, 300)
    total = 0
    for area in map_areas.areas_around([(x, y, 1_000) for x, y in points], box, metres_of_pixel=100):
        for path in area.path.split("z")[:-1]:
            start, _, steps = path[1:].partition("l")
            x, y = (int(one) for one in start.split())
            numbers = [int(one) for one in steps.split()]
            corners = [(x, y)]
            for right, down in zip(numbers[::2], numbers[1::2], strict=True):
                corners.append((corners[-1][0] + right, corners[-1][1] + down))
            assert all(0 <= one <= 400 and 0 <= other <= 300 for one, other in corners)
            total += abs(sum(corners[n - 1][0] * b - corners[n - 1][1] * a for n, (a, b) in enumerate(corners))) / 2
    # The corners are rounded to whole pixels.
    assert total <= 400 * 300 * 1.01 + 30 * len(points)


def test_names_cover_neither_pins_nor_controls() -> None:
    view = MapView(52.52, 13.405, 11)
    middle_x, middle_y = map_drawing.pixels(view.latitude, view.longitude, view.zoom)
    # The control that moves the map north is at the top, in the middle.
    latitude, _ = map_drawing.degrees(middle_x, middle_y - DESK.height / 2 + 20, view.zoom)
    below_control = Place(1, "North", "DE", "", "", "", latitude, 13.405, 1_000, "Europe/Berlin")
    under_pin = replace(below_control, id=2, name="Pin", latitude=52.524)
    beside = replace(below_control, id=3, name="Town", latitude=52.5, longitude=13.5)
    pin = MapEvent(EventPosition(52.52, 13.405), "Sat 18:00", "x", "/x")
    # On wide screens, the credit line is at the bottom.
    south, west = map_drawing.degrees(middle_x - DESK.width / 2 + 300, middle_y + DESK.height / 2 - 20, view.zoom)
    under_credit = replace(below_control, id=4, name="South", latitude=south, longitude=west)
    # At the top right there is the link to search the area, with words before it on wide screens.
    up, right = map_drawing.degrees(middle_x + DESK.width / 2 - 200, middle_y - DESK.height / 2 + 20, view.zoom)
    under_link = replace(below_control, id=5, name="Up", latitude=up, longitude=right)
    drawing = map_drawing.draw_map(view, DESK, [pin], [below_control, under_pin, beside, under_credit, under_link])
    assert [one.name for one in drawing.names] == ["Town"]


async def test_pins_show_a_time_within_a_week_and_a_date_later(site: Site) -> None:
    """The clock is at 1 March 2026. Each pin names the row of its event, so that the style sheet can highlight it."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await place_event_at(tx, await event_by(tx, ana, title="Soon", starts="2026-03-04T18:00", ends=""), BERLIN)
        await place_event_at(tx, await event_by(tx, ana, title="Later", starts="2026-03-25T18:00", ends=""), POTSDAM)
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"view": "map"})).text
    large = page.split("map-desk")[1].split("</svg>", maxsplit=1)[0]
    pins = re.findall(r'class="map-pin( row-\d)".*?<text[^>]*>([^<]*)</text>', large, re.DOTALL)
    assert pins == [(" row-1", "Wed 18:00"), (" row-2", "Wed 25 Mar")]
