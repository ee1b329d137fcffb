"""The tolerant reader of events, with records of real applications and with generated ones."""

import json
from typing import Any

import pytest

from at_protocol.syntax.datetime import parse_datetime
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import MAX_DESCRIPTION, Mode
from openmeet.i18n.reasons.messages import explain
from openmeet.network.records.collections import DETAILS_KEY, EVENT, LEGACY_EVENT
from openmeet.network.records.event_reader import ParsedEvent, read_event
from openmeet.network.records.reading_notes import Unmappable
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.records.event_values import READ_AT, event_record


def captured(name: str) -> Any:
    return json.loads(fixture_path(f"data/calendar-records/{name}").read_text())


def read(record: object, *, collection: str = EVENT, rkey: str = "self") -> ParsedEvent:
    return read_event(collection, record, rkey=rkey, indexed_at=READ_AT)


@needs("fixtures")
def test_legacy_dialect_is_read():
    """Smoke Signal's own collection: ``text``, a singular ``location`` and its own tokens. A virtual location becomes a
    ticket link.
    """
    read_ = read(captured("smokesignal-legacy-event.json")["value"], collection=LEGACY_EVENT).event
    assert read_.name == read_.description == "Pigeons Playing Ping Pong @ Neptune Theatre"
    assert (read_.mode, read_.status) == (Mode.IN_PERSON, EventStatus.SCHEDULED)
    assert (read_.venues[0].name, read_.venues[0].postal_code) == ("Neptune Theatre", "98105")
    assert read_.online_url == ""
    assert read_.links[0].name == "Tickets"


@needs("fixtures")
def test_geo_belongs_to_the_address_before_it_and_the_offset_is_kept():
    read_ = read(captured("adapter-event-geo-strings.json")).event
    assert len(read_.venues) == 1
    assert (read_.venues[0].latitude, read_.venues[0].longitude) == ("40.0141", "-105.2836")
    assert read_.starts_text == "2026-10-04T10:00:00-06:00"
    assert read_.starts_at == parse_datetime("2026-10-04T16:00:00Z")
    assert read_.time_zone == "America/Denver"


@needs("fixtures")
def test_all_location_types_and_a_missing_start_are_read():
    """A missing start means "to be announced", never "now". Unknown variants are noted."""
    read_ = read(captured("event-all-location-types.json"))
    assert read_.event.starts_at is None
    assert read_.event.online_url == "https://stream.example.com/live"
    assert [kept.path for kept in read_.notes.kept] == ["locations/3", "locations/4", "locations/5"]


@needs("fixtures")
def test_records_without_type_or_created_at():
    """The record is invalid by the Lexicon, but still an event that people want to see. The creation time comes from
    the record key.
    """
    records = captured("repo-two-kinds-one-author.json")["records"]
    read_ = read(records[0]["value"], rkey="3mnkocbxed2ki").event
    assert read_.name == "Off Protocol LIVE"
    assert read_.created_at == 1_780_680_832_756_000
    assert [link.uri for link in read_.links] == [
        "https://stream.place/atproto.com",
        "https://atproto.com/off-protocol",
    ]


@needs("fixtures")
@pytest.mark.parametrize("number", range(28))
def test_an_irregular_repository_is_read_completely(number):
    record = captured("repo-events-irregular-monthly.json")["records"][number]
    assert read(record["value"]).event.starts_at is not None


@needs("fixtures")
def test_current_dialects_are_read():
    game = read(captured("atmo-rsvp-event-game-night.json")["value"]).event
    assert game.is_discoverable
    assert game.venues == ()
    conference = read(captured("smokesignal-style-event-atmosphereconf-2026.json")["value"])
    assert {kept.path for kept in conference.notes.kept} == {"facets", "media"}
    bare = read(captured("nonconforming-shapes.json")["event"]).event
    assert (bare.mode, bare.status, bare.description) == (Mode.IN_PERSON, EventStatus.SCHEDULED, "bring a game")


@pytest.mark.parametrize(
    ("latitude", "longitude", "kept"),
    [
        ("0", "0", True),
        (0, 0, True),
        (48.2, 16.37, True),
        ("91", "0", False),
        ("", "0", False),
        ("abc", "0", False),
        ("NaN", "0", False),
        (float("nan"), 0, False),
        ("48,2", "16", False),
        ("1" * 5000, "0", False),
        (True, 0, False),
        (None, 0, False),
    ],
)
def test_coordinates(latitude, longitude, kept):
    """Zero is a valid coordinate. Values out of range or not numeric are dropped, and the event is still read."""
    place = {"$type": "community.lexicon.location.geo", "latitude": latitude, "longitude": longitude}
    assert len(read(event_record(locations=[place])).event.venues) == int(kept)


def test_null_counts_as_absent():
    assert read(event_record(endsAt=None, startsAt=None, locations=None, uris=None, mode=None)).event.ends_at is None


def test_end_before_start_is_dropped_and_noted():
    read_ = read(event_record(startsAt="2026-01-02T00:00:00Z", endsAt="2026-01-01T00:00:00Z"))
    assert read_.event.ends_at is None
    assert any(kept.path == "endsAt" for kept in read_.notes.kept)


def test_dangerous_links_are_not_links():
    read_ = read(
        event_record(uris=[{"uri": "javascript:alert(1)"}, "https://example.org/", {"uri": "data:text/html,x"}])
    )
    assert [link.uri for link in read_.event.links] == ["https://example.org/"]


def test_mode_follows_from_locations_if_it_is_missing():
    online = {"$type": "community.lexicon.calendar.event#uri", "uri": "https://example.org/live"}
    address = {"$type": "community.lexicon.location.address", "country": "DE"}
    assert read(event_record(locations=[online])).event.mode is Mode.ONLINE
    assert read(event_record(locations=[online, address])).event.mode is Mode.HYBRID
    assert read(event_record()).event.mode is Mode.IN_PERSON


def test_items_without_type_are_recognised_by_their_keys():
    places = [
        {"latitude": "1", "longitude": "2"},
        {"country": "AT", "locality": "Graz"},
        {"url": "https://example.org"},
    ]
    read_ = read(event_record(locations=places)).event
    assert [venue.locality for venue in read_.venues] == ["", "Graz"]
    assert read_.online_url == "https://example.org"


@pytest.mark.parametrize("mode", ["community.lexicon.calendar.event#Virtual", "virtual", "x.y.z#VIRTUAL"])
def test_tokens_of_any_namespace_are_understood(mode):
    assert read(event_record(mode=mode)).event.mode is Mode.ONLINE


def test_the_offset_is_the_zone_if_none_is_named():
    assert read(event_record(startsAt="2026-10-04T10:00:00-06:00")).event.time_zone == "-06:00"
    assert read(event_record(startsAt="2026-10-04T10:00:00Z", timezone="Mars/Olympus")).event.time_zone == "UTC"


def test_the_title_falls_back_to_the_description():
    family = "👩‍👩‍👧‍👦"
    assert read(event_record(name=" ", description=family * 100)).event.name == family * 80
    assert read({"$type": EVENT}).event.name == "(untitled)"


@pytest.mark.parametrize("name", ["\u200b\u2060", "\u3164", "\u200d\u200f\u00ad", 123, {}, ["Tea"], True])
def test_an_invisible_title_counts_as_missing(name):
    """The title is flagged, and the record keeps its original text."""
    found = read(event_record(name=name, title="Tea"))
    assert found.event.name == "Tea"
    assert "name" in {one.path for one in found.notes.kept}
    assert read({"$type": EVENT, "name": name}).event.name == "(untitled)"


@pytest.mark.parametrize("name", ["茶", "☕", "42", "?!", "👩‍👩‍👧"])
def test_short_titles_are_kept(name):
    assert read(event_record(name=name)).event.name == name


def test_a_start_of_the_wrong_type_is_to_be_announced():
    found = read(event_record(startsAt={}))
    assert found.event.starts_at is None
    assert "startsAt" in {one.path for one in found.notes.kept}


def test_a_very_long_description_is_cut():
    found = read(event_record(description="long " * 5_000))
    assert len(found.event.description) <= MAX_DESCRIPTION
    assert found.event.description.endswith("long…")
    assert "description" in {one.path for one in found.notes.kept}


def test_nul_characters_cannot_reach_a_database():
    assert read(event_record(name="a\x00b", description="\x00")).event.name == "ab"


@pytest.mark.parametrize(
    "record",
    [
        [],
        "text",
        None,
        {"$type": "app.bsky.feed.post", "name": "x"},
        event_record(startsAt="1899-12-31T23:59:59Z"),
        event_record(startsAt="2201-01-01T00:00:00Z"),
    ],
)
def test_a_record_that_is_not_an_event_is_kept_raw_with_a_reason(record):
    with pytest.raises(Unmappable) as refused:
        read(record)
    assert explain(refused.value.why).endswith(".")


def test_title_is_one_line_without_control_characters_or_excess_length():
    """Lists show titles from any repository next to each other."""
    assert read(event_record(name="\u202egnp\n\x07.exe\u2069")).event.name == "gnp .exe"
    long = read(event_record(name="B" * 140_000)).event.name
    assert (len(long), long[-1]) == (200, "…")


def test_names_of_places_and_links_have_a_maximum_length():
    place = {"$type": "community.lexicon.location.address", "country": "DE", "name": "x" * 5000}
    read_ = read(event_record(locations=[place], uris=[{"uri": "https://example.org", "name": "\u202ey" * 5000}])).event
    assert len(read_.venues[0].name) == 200
    assert len(read_.links[0].name) == 200


def whole_days(**fields: object) -> dict[str, object]:
    """A weekend in Berlin, as an OpenMeet site writes all-day events."""
    days = {"startsAt": "2026-07-03T22:00:00Z", "endsAt": "2026-07-05T22:00:00Z", "timezone": "Europe/Berlin"}
    return event_record(**{**days, DETAILS_KEY: {"$type": DETAILS_KEY, "isAllDay": True}, **fields})


def test_all_day_events_of_another_installation_are_all_day():
    read_ = read(whole_days())
    assert read_.event.is_all_day
    assert read_.event.time_zone == "Europe/Berlin"
    assert read(whole_days(endsAt=None)).event.is_all_day
    assert not read(event_record(startsAt="2026-07-03T22:00:00Z", timezone="Europe/Berlin")).event.is_all_day


@pytest.mark.parametrize(
    "fields",
    [
        {"startsAt": "2026-07-04T16:00:00Z"},
        {"endsAt": "2026-07-05T16:00:00Z"},
        {"timezone": "America/New_York"},
        {"startsAt": None},
    ],
)
def test_an_app_that_sets_an_hour_ends_an_all_day_event(fields: dict[str, object]):
    """The app does not know this site's marker for all-day events and leaves it in the record."""
    assert not read(whole_days(**fields)).event.is_all_day
