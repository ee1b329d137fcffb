"""The place field of the event form: one line fills the address and the time zone, with and without scripts."""

import re

import pytest

from groundwork.clock import HandClock
from openmeet.domain.events.place_text import read_place
from openmeet.domain.imports.events import parse_upload
from openmeet.domain.imports.model import FileReading, Import, ImportId, ImportKind, Medium
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.users.model import Caller, UserId
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, change_services, event_by, inputs_of, person, signed_in, site_on
from tests.worker_pool import WORKERS


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock, world: Gazetteer) -> Site:
    site = site_on(await make_sqlite("openmeet"), clock)
    change_services(site.app, places=world)
    return site


@pytest.fixture
async def ana(site: Site) -> Caller:
    async with site.db.transaction() as tx:
        return await person(tx, "Ana")


def zone_of(page: str) -> str:
    (select,) = re.findall(r'<select id="time_zone".*?</select>', page, re.DOTALL)
    return re.findall(r"<option[^>]* selected>([^<]*)<", select)[0].replace(" ", "_")


async def test_a_town_fills_in_its_address_and_time_zone(site: Site, ana: Caller) -> None:
    """Nothing is saved yet, and no typed text is lost."""
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {
            "title": "Walk",
            "mode": "in_person",
            "place": "Neukölln",
            "time_zone": fields["suggested_zone"],
        }
        page = await browser.post("/events/new", data={**fields, **typed, "find_place": "yes"})
        found = inputs_of(page.text)
        assert (page.status_code, found["title"]) == (200, "Walk")
        assert (found["locality"], found["country"], zone_of(page.text)) == ("Neukölln", "Germany", "Europe/Berlin")
        assert "Neukölln (near Berlin, Germany). Times are in Berlin time." in page.text
        other = await browser.post(
            "/events/new",
            data={**found, "mode": "in_person", "time_zone": "Europe/Berlin", "place": "Lisbon", "find_place": "yes"},
        )
        assert zone_of(other.text) == "Europe/Lisbon", "a time zone filled in for one town changes with the next town"


async def test_a_chosen_time_zone_is_kept(site: Site, ana: Caller) -> None:
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {"mode": "in_person", "place": "Berlin", "time_zone": "Asia/Tokyo", "find_place": "yes"}
        page = (await browser.post("/events/new", data={**fields, **typed})).text
    assert zone_of(page) == "Asia/Tokyo"
    assert "It’s on Berlin time. The times above stay in Tokyo time." in page


@pytest.mark.parametrize(
    ("point", "country", "zones"),
    [
        # Between Auburn in Alabama and Columbus in Georgia.
        ("32.47, -85.3", "United States", ["America/New_York", "America/Chicago"]),
        ("52.52, 13.41", "Germany", []),
        # Three countries with the same clock.
        ("47.56, 7.59", "", []),
        # Far from any town.
        ("0, -30", "", []),
    ],
)
async def test_the_form_asks_for_the_time_zone_near_a_border(
    site: Site, ana: Caller, point: str, country: str, zones: list[str]
) -> None:
    """It asks once for the same coordinates, and not if the person has chosen a time zone."""
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {"title": "Walk", "mode": "in_person", "visibility": "public", "online_url_audience": "attendees"}
        form = fields | typed | {"point": point, "country": country, "time_zone": fields["suggested_zone"]}
        asked = await browser.post("/events/new", data=form)
        if not zones:
            assert asked.status_code == 303
            return
        assert asked.status_code == 400
        assert "The place is near the border of New York time and Chicago time." in asked.text
        again = inputs_of(asked.text) | typed | {"time_zone": fields["suggested_zone"]}
        other = await browser.post("/events/new", data=again | {"point": "32.48, -85.29"})
        assert other.status_code == 400, "other coordinates are another question"
        assert (await browser.post("/events/new", data=again)).status_code == 303
        chosen = await browser.post("/events/new", data=form | {"time_zone": "America/Chicago", "submission": "other"})
        assert chosen.status_code == 303
    async with site.db.reader() as reader:
        rows = await reader.fetch("select time_zone from events order by id")
    assert [row["time_zone"] for row in rows] == [fields["suggested_zone"], "America/Chicago"]


async def test_several_towns_are_offered_and_one_is_chosen_by_a_button(site: Site, ana: Caller) -> None:
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        page = (
            await browser.post(
                "/events/new", data={**fields, "mode": "in_person", "place": "Springfield", "find_place": "yes"}
            )
        ).text
        (number,) = re.findall(r'value="(\d+)"[^>]*>Springfield \(Illinois, United States\)<', page)
        chosen = inputs_of(
            (
                await browser.post("/events/new", data={**inputs_of(page), "mode": "in_person", "place_choice": number})
            ).text
        )
        unknown = await browser.post("/events/new", data={**fields, "place": "Qqqqqq", "find_place": "yes"})
    assert (chosen["locality"], chosen["region"], chosen["country"]) == ("Springfield", "Illinois", "United States")
    assert "find a town with this name" in unknown.text


async def test_the_fragment_has_the_same_choices(site: Site) -> None:
    async with site.browser() as anybody:
        found = await anybody.get("/places/choices", params={"q": "neuk"})
        nothing = await anybody.get("/places/choices", params={"q": "x<script>"})
    assert "<html" not in found.text
    assert 'data-zone="Europe/Berlin"' in found.text
    assert "GeoNames, CC BY 4.0" in found.text
    assert nothing.text.strip() == ""


async def test_a_town_with_a_typing_error_is_guessed_with_and_without_scripts(site: Site, ana: Caller) -> None:
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {**fields, "mode": "in_person", "place": "Old mill, Berln", "find_place": "yes"}
        page = (await browser.post("/events/new", data=typed)).text
        (number,) = re.findall(r'value="(\d+)"[^>]*>Berlin \(Germany\)<', page)
        chosen = inputs_of((await browser.post("/events/new", data={**inputs_of(page), "place_choice": number})).text)
        fragment = (await browser.get("/places/choices", params={"q": "Old mill, Berln"})).text
    for shown in (page, fragment):
        assert "We couldn’t find “Berln”. Did you mean one of these?" in shown
    assert f'value="{number}"' in fragment
    assert (chosen["place"], chosen["locality"]) == ("Old mill, Berlin", "Berlin")


async def test_an_existing_event_keeps_its_zone_and_its_revision(site: Site, ana: Caller) -> None:
    async with site.db.transaction() as tx:
        event = await event_by(tx, ana, time_zone="Asia/Tokyo")
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get(f"/events/{event.slug}/edit")).text)
        page = await browser.post(
            f"/events/{event.slug}/edit",
            data={**fields, "mode": "in_person", "time_zone": "Asia/Tokyo", "place": "Lisbon", "find_place": "yes"},
        )
    assert page.status_code == 200
    assert (zone_of(page.text), inputs_of(page.text)["revision"]) == ("Asia/Tokyo", "1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Prachtsaal, Marktstraße 8, 10245 Berlin", ("Prachtsaal", "Marktstraße 8", "10245", "Berlin", "", "Germany")),
        ("Sonnenallee 98, Neukölln, Berlin", ("", "Sonnenallee 98", "", "Neukölln, Berlin", "", "Germany")),
        ("Hall, Springfield, IL", ("Hall", "", "", "Springfield", "Illinois", "United States")),
        ("Hall, Springfield", ("Hall", "", "", "Springfield", "", "")),
        ("Big room, Old mill", ("Big room, Old mill", "", "", "", "", "")),
        ("Barn, Way 1, 99999 Kleinstdorf, Germany", ("Barn", "Way 1", "99999", "Kleinstdorf", "", "Germany")),
        (", ,Park,", ("Park", "", "", "", "", "")),
        ("Germany," * 300, None),
    ],
)
def test_a_line_is_split_into_fields(world: Gazetteer, line: str, said: tuple[str, ...] | None) -> None:
    """Each word is put into some field, even when no place is recognised."""
    found = read_place(line, world.find).venue
    if said is not None:
        parts = (found.name, found.street, found.postal_code, found.locality, found.region, found.country)
        assert parts == said
    assert read_place(line, None).venue.name or found.locality


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (r"Hall\, Some House", ("Hall, Some House", "")),
        (r"Town library\, Berlin", ("Town library", "Berlin")),
        (r"Hall\, Springfield", ("Hall", "Springfield")),
        (r"Barn\, 99999 Kleinstdorf", ("Barn", "Kleinstdorf")),
    ],
)
async def test_the_end_of_an_imported_place_is_a_town_only_if_it_is_known(
    world: Gazetteer, clock: HandClock, location: str, said: tuple[str, str]
) -> None:
    """The same is true for a changed date of a series. A postal code shows that it is a town."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        *("BEGIN:VEVENT", "UID:1", "SUMMARY:Choir", "DTSTART:20260701T160000Z", "RRULE:FREQ=WEEKLY;COUNT=3"),
        *(f"LOCATION:{location}", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:1", "SUMMARY:Concert", "RECURRENCE-ID:20260708T160000Z", "DTSTART:20260708T160000Z"),
        *(f"LOCATION:{location}", "END:VEVENT"),
        "END:VCALENDAR",
    ]
    content = "\r\n".join([*lines, ""]).encode()
    upload = Import(
        ImportId("1"), UserId("u"), ImportKind.EVENTS, Medium.ICS, "", "a.ics", content, {}, None, clock.now()
    )
    parsed = await parse_upload(WORKERS, upload, FileReading("Europe/Berlin", places=world))
    (event,) = parsed.events
    typed = [event.typed, *(one.typed for one in event.changes)]
    assert [(one.venue_name, one.locality) for one in typed] == [said, said]


async def test_a_changed_line_is_read_when_it_is_saved(site: Site, ana: Caller) -> None:
    """Coordinates of the previous place are removed, but kept if only the name is corrected. Text typed in the separate
    fields is kept.
    """
    async with signed_in(site, ana.user_id) as browser:
        zone = {"mode": "in_person", "time_zone": "Europe/Berlin"}
        fields = inputs_of((await browser.get("/events/new")).text) | {"title": "Walk"} | zone
        line = {"place": "Prachtsal, Marktstraße 8, Berlin", "point": "52.5, 13.4", "postal_code": "10245"}
        made = await browser.post("/events/new", data={**fields, **line})
        slug = made.headers["location"].partition("?")[0]
        fields = inputs_of((await browser.get(f"{slug}/edit")).text) | zone
        assert fields["place"] == "Prachtsal, Marktstraße 8, 10245 Berlin"
        await browser.post(f"{slug}/edit", data={**fields, "place": "Prachtsaal, Marktstraße 8, Berlin"})
        mended = inputs_of((await browser.get(f"{slug}/edit")).text) | zone
        assert (mended["venue_name"], mended["postal_code"], mended["point"]) == ("Prachtsaal", "10245", "52.5, 13.4")
        await browser.post(f"{slug}/edit", data={**mended, "place": "Old mill, Lisbon", "street": "Rua 1"})
        moved = inputs_of((await browser.get(f"{slug}/edit")).text)
    found = {name: moved[name] for name in ("venue_name", "street", "postal_code", "locality", "country", "point")}
    assert found == {
        "venue_name": "Old mill", "street": "Rua 1", "postal_code": "", "locality": "Lisbon", "country": "Portugal", "point": "",
    }  # fmt: skip


async def test_two_lines_in_the_field_are_one_place_when_the_form_is_sent_again(site: Site, ana: Caller) -> None:
    """Without scripts, Enter begins a line. The form that is shown again joins the lines, which is no other place."""
    typed = {"mode": "in_person", "place": "Town library\r\nHouse B", "street": "Long Street 1"}
    times = {"starts_local": "2026-07-04T18:00", "time_zone": "Europe/Berlin"}
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        untitled = await browser.post("/events/new", data={**fields, **typed, **times})
        shown = inputs_of(untitled.text)
        assert (untitled.status_code, shown["place"]) == (400, "Town library House B")
        made = await browser.post("/events/new", data={**shown, **times, "mode": "in_person", "title": "Walk"})
    assert made.status_code == 303, made.text
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select street from events")
    assert row["street"] == "Long Street 1"


def _answers(page: str) -> dict[str, str]:
    """The keys of the towns that the form asks about, by label."""
    found = re.findall(r'name="place_town" value="(\w+)"[^>]*> <span><span class="option-name">([^<]*)<', page)
    return {label: key for key, label in found}


async def test_an_ambiguous_town_is_asked_about_instead_of_left_off_the_map(site: Site, ana: Caller) -> None:
    """Nothing typed is lost, and the answer fills in the address and the time zone. An answer about another line does not
    count.
    """
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {**fields, "title": "Walk", "mode": "in_person", "place": "Town hall, Springfield"}
        typed["time_zone"] = fields["suggested_zone"]
        asked = await browser.post("/events/new", data=typed)
        shown, answers = inputs_of(asked.text), _answers(asked.text)
        assert (asked.status_code, shown["title"], shown["place"]) == (400, "Walk", "Town hall, Springfield")
        assert "There’s more than one Springfield." in asked.text
        illinois = answers["Springfield (Illinois, United States)"]
        again = {**typed, **shown, "mode": "in_person", "place_town": illinois}
        other = await browser.post("/events/new", data={**again, "place": "Neustadt"})
        assert "Which Neustadt?" in other.text
        made = await browser.post("/events/new", data=again)
        assert made.status_code == 303, made.text
        stored = inputs_of((await browser.get(f"{made.headers['location'].partition('?')[0]}/edit")).text)
    assert (stored["venue_name"], stored["locality"], stored["region"]) == ("Town hall", "Springfield", "Illinois")
    assert zone_of(await _edit_page(site, ana, made.headers["location"])) == "America/Chicago"


async def _edit_page(site: Site, who: Caller, path: str) -> str:
    async with signed_in(site, who.user_id) as browser:
        return str((await browser.get(f"{path.partition('?')[0]}/edit")).text)


async def test_an_event_may_stay_off_the_map(site: Site, ana: Caller) -> None:
    """The question is not asked again, neither now nor when the event is edited. Drafts are saved without it."""
    async with signed_in(site, ana.user_id) as browser:
        fields = inputs_of((await browser.get("/events/new")).text)
        typed = {**fields, "title": "Walk", "mode": "in_person", "place": "Neustadt", "time_zone": "Europe/Berlin"}
        draft = await browser.post("/events/new", data={**typed, "save": "draft"})
        assert draft.status_code == 303
        asked = await browser.post("/events/new", data={**typed, "submission": "another-one-of-the-form"})
        answer = {**typed, **inputs_of(asked.text), "mode": "in_person", "place_town": "none"}
        made = await browser.post("/events/new", data=answer)
        assert (asked.status_code, made.status_code) == (400, 303)
        edit = f"{made.headers['location'].partition('?')[0]}/edit"
        form = inputs_of((await browser.get(edit)).text) | {"mode": "in_person", "time_zone": "Europe/Berlin"}
        saved = await browser.post(edit, data={**form, "title": "Long walk"})
        assert (saved.status_code, form["place"], form["locality"]) == (303, "Neustadt", "")
        moved = await browser.post(edit, data={**form, "place": "Springfield", "revision": "2"})
    assert "Which Springfield?" in moved.text
