"""Places and links of other apps survive any sequence of edits on this site (invariant 6)."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.data import cbor
from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import SECOND, Instant
from openmeet.domain.events.model import NetworkEvent
from openmeet.domain.events.values import Mode, Venue
from openmeet.network.records.collections import EVENT, ORIGIN_KEY
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import Publishable, is_up_to_date, ours_as_read, write_event
from openmeet.network.records.own_entries import EarlierVersions
from tests.openmeet.records.event_values import OWN_EVENT, READ_AT, as_own_event

ADDRESS = "community.lexicon.location.address"
GEO = "community.lexicon.location.geo"
URI = f"{EVENT}#uri"
HALL_A = {"$type": ADDRESS, "country": "AT", "name": "Hall A", "theirs": 1}
HALL_B = {"$type": ADDRESS, "country": "AT", "name": "Hall B"}
HALL_C = {"$type": ADDRESS, "country": "AT", "name": "Hall C"}
UNWRITABLE = Venue(name="Park")
WRITABLE = Venue(name="Club", country="DE", locality="Bonn")
ZOOM = {"$type": URI, "uri": "https://zoom.example/1"}
JITSI = {"$type": URI, "uri": "https://jitsi.example/1", "name": "Second room"}

PLACES: list[Any] = [
    HALL_A,
    HALL_B,
    {"$type": ADDRESS, "name": "No country"},
    {"$type": ADDRESS},
    {"$type": GEO, "latitude": "48.2", "longitude": "16.3"},
    {"$type": GEO, "latitude": "1", "longitude": "2", "name": "Point"},
    {"$type": "community.lexicon.location.fsq", "fsq_place_id": "x", "name": "Cafe"},
    {"$type": "community.lexicon.location.hthree", "value": "8a2a"},
    {"$type": "app.unknown.place", "uri": "https://zoom.example/1"},
    ZOOM,
    JITSI,
    {"$type": URI, "uri": "javascript:alert(1)"},
    "a string",
    7,
]
LINKS: list[Any] = [
    {"uri": "https://zoom.example/1"},
    {"uri": "https://tickets.example", "name": "Tickets", "theirs": True},
    "https://plain.example",
    {"uri": "https://meet.example/events/chess", "name": "Chess"},
    {"name": "No address"},
    None,
]
VENUES = [Venue(), UNWRITABLE, WRITABLE, Venue(latitude="1", longitude="2"), Venue(name="Hall B", country="AT")]
URLS = ["", "https://zoom.example/1", "https://jitsi.example/1", "https://new.example/room"]


@st.composite
def foreign_records(draw: st.DrawFn) -> dict[str, Any]:
    record: dict[str, Any] = {"$type": EVENT, "name": "Theirs", "createdAt": "2026-01-01T00:00:00Z"}
    places = st.lists(st.sampled_from(PLACES), max_size=5)
    for key in ("locations", "location"):
        if draw(st.booleans()):
            record[key] = draw(st.one_of(places, places, st.sampled_from(PLACES)))
    if draw(st.booleans()):
        record["uris"] = draw(st.one_of(st.lists(st.sampled_from(LINKS), max_size=4), st.just("text")))
    for key, values in {
        "mode": [f"{EVENT}#inperson", f"{EVENT}#virtual", f"{EVENT}#hybrid", "odd"],
        "startsAt": ["2026-12-01T18:00:00+01:00", "2026-12-09T18:00:00Z", "soon"],
        "endsAt": ["2026-12-01T20:00:00.5+01:00", "2026-12-01T12:00:00Z"],
        "timezone": ["Europe/Vienna", "Nowhere/Else"],
        "text": ["Older text"],
        "description": ["A text", ""],
        "facets": [[{"index": {"byteStart": 0, "byteEnd": 1}}]],
    }.items():
        if draw(st.booleans()):
            record[key] = draw(st.sampled_from(values))
    return record


def read(record: Any) -> NetworkEvent:
    return read_event(EVENT, record, rkey="self", indexed_at=READ_AT).event


@st.composite
def plain_edits(draw: st.DrawFn, ours: Publishable) -> Publishable:
    """Edits of title, text or time only."""
    start = Instant(parse_datetime("2026-12-01T17:00:00Z") + draw(st.integers(0, 20)) * 86_400 * SECOND)
    change = draw(
        st.sampled_from(
            [
                {"title": "Another title"},
                {"title": "A third title"},
                {"description": "Another text"},
                {"starts_at": start, "ends_at": Instant(start + SECOND)},
                {"starts_at": None, "ends_at": None},
                {"ends_at": None},
            ]
        )
    )
    return dataclasses.replace(ours, **change)


def any_edits(ours: Publishable) -> st.SearchStrategy[Publishable]:
    """Any fields that a person can change on this site."""
    return st.one_of(
        plain_edits(ours),
        st.builds(lambda venue: dataclasses.replace(ours, venue=venue), st.sampled_from(VENUES)),
        st.builds(
            lambda mode, url: dataclasses.replace(ours, mode=mode, online_url="" if mode is Mode.IN_PERSON else url),
            st.sampled_from(list(Mode)),
            st.sampled_from(URLS),
        ),
    )


def written_twice(ours: Publishable, record: Any) -> Any:
    """The written record. Asserts that writing it again changes nothing."""
    written = write_event(ours, record)
    assert write_event(ours, written) == written
    assert is_up_to_date(ours, written)
    assert ours_as_read(ours, written, rkey="self") == read(written)
    return written


@given(st.data(), foreign_records())
def test_other_edits_keep_lists_byte_for_byte(data: st.DataObject, record: dict[str, Any]) -> None:
    """However often title, text or time are edited, places and links are written back unchanged."""
    lists = {key: cbor.encode(record[key]) for key in ("locations", "location", "uris") if key in record}
    ours = as_own_event(read(record))
    for _ in range(4):
        ours = data.draw(plain_edits(ours))
        record = written_twice(ours, record)
        found = {key: cbor.encode(record[key]) for key in ("locations", "location", "uris") if key in record}
        assert found == lists


@given(st.data(), foreign_records())
def test_edits_are_written_once_and_later_text_edits_change_no_list(
    data: st.DataObject, record: dict[str, Any]
) -> None:
    """Writing the written record again changes nothing, and a later edit of the title changes only the title."""
    ours = as_own_event(read(record))
    for _ in range(4):
        ours = data.draw(any_edits(ours))
        record = written_twice(ours, record)
        renamed = written_twice(dataclasses.replace(ours, title="Renamed again"), record)
        assert {k: v for k, v in renamed.items() if k not in {"name", ORIGIN_KEY}} == {
            k: v for k, v in record.items() if k not in {"name", ORIGIN_KEY}
        }


@given(st.data(), foreign_records())
def test_only_our_own_entries_of_a_list_ever_change(data: st.DataObject, record: dict[str, Any]) -> None:
    """Entries other than the event's own venue and link are still there after any edits, in their order."""
    seen = read_event(EVENT, record, rkey="self", indexed_at=READ_AT)
    key = "locations" if "locations" in record else "location"
    places = record.get(key, [])
    places = places if isinstance(places, list) else [places]
    adopted = set(seen.places.venues[0].entries) if seen.places.venues else set()
    url = seen.event.online_url
    typed = set(URLS)  # typing a URL on this site and removing it again removes it from the links
    online = {index for index, link in seen.places.online if link.uri == url or link.uri in typed}
    theirs = [place for index, place in enumerate(places) if index not in adopted | online]
    ours = as_own_event(seen.event)
    for _ in range(4):
        ours = data.draw(any_edits(ours))
        record = written_twice(ours, record)
        listed = record.get(key, [])
        rest = iter(listed if isinstance(listed, list) else [listed])
        assert all(any(place == one for one in rest) for place in theirs)


def test_a_venue_that_cannot_be_written_removes_one_place_once() -> None:
    """Hall A was replaced on this site by a park without a country. Hall B stays however often the event is edited."""
    record: Any = {"$type": EVENT, "name": "x", "locations": [HALL_A, HALL_B]}
    ours = dataclasses.replace(as_own_event(read(record)), venue=UNWRITABLE)
    record = written_twice(ours, record)
    assert record["locations"] == [HALL_B]
    for title in ("y", "z"):
        ours = dataclasses.replace(ours, title=title)
        record = written_twice(ours, record)
        assert record["locations"] == [HALL_B]


def test_a_venue_that_can_be_written_later_comes_before_other_places() -> None:
    record: Any = {"$type": EVENT, "name": "x", "locations": [HALL_A, HALL_B]}
    ours = dataclasses.replace(as_own_event(read(record)), venue=UNWRITABLE)
    record = written_twice(ours, record)
    record = written_twice(dataclasses.replace(ours, venue=WRITABLE), record)
    assert [place["name"] for place in record["locations"]] == ["Club", "Hall B"]
    assert record[ORIGIN_KEY].keys() == {"$type", "instance", "eventId", "version"}


def test_an_entry_that_another_app_put_first_is_ours_once_the_event_has_it() -> None:
    """The entry in this site's mark no longer applies when another entry becomes the first readable one."""
    record: Any = {"$type": EVENT, "name": "x", "locations": [HALL_A, HALL_B]}
    ours = dataclasses.replace(as_own_event(read(record)), venue=UNWRITABLE)
    record = {**written_twice(ours, record), "locations": [HALL_C, HALL_B]}
    adopted = dataclasses.replace(as_own_event(read(record)), venue=WRITABLE)
    assert [place["name"] for place in written_twice(adopted, record)["locations"]] == ["Club", "Hall B"]


def test_our_place_is_found_by_its_value_after_another_app_moved_it() -> None:
    base: Any = {"$type": EVENT, "name": "x", "locations": [HALL_A]}
    now: Any = {**base, "locations": [HALL_C, HALL_A]}
    ours = dataclasses.replace(as_own_event(read(base)), venue=WRITABLE)
    written: Any = write_event(ours, now, EarlierVersions(agreed=base))
    assert [place["name"] for place in written["locations"]] == ["Club", "Hall C"]


def test_our_mark_counts_although_another_app_removed_it() -> None:
    record: Any = {"$type": EVENT, "name": "x", "locations": [HALL_A, HALL_B]}
    ours = dataclasses.replace(as_own_event(read(record)), venue=UNWRITABLE)
    written = written_twice(ours, record)
    stripped = {key: value for key, value in written.items() if key != ORIGIN_KEY}
    renamed = dataclasses.replace(ours, title="y")
    assert write_event(renamed, stripped, EarlierVersions(stripped, written))["locations"] == [HALL_B]


def test_our_link_is_removed_although_another_app_put_one_before_it() -> None:
    """A link for attendees only must not stay public because it is no longer the first one."""
    base: Any = {"$type": EVENT, "name": "x", "mode": f"{EVENT}#virtual", "locations": [ZOOM]}
    now: Any = {**base, "locations": [JITSI, ZOOM]}
    hidden = dataclasses.replace(as_own_event(read(base)), online_url="")
    assert write_event(hidden, now, EarlierVersions(agreed=base))["locations"] == [JITSI]


def test_removing_our_link_removes_no_second_one() -> None:
    """Once this site's link is gone, the other app's link is the first one. The next edit does not treat the other
    app's link as its own.
    """
    record: Any = {
        "$type": EVENT,
        "name": "x",
        "mode": f"{EVENT}#virtual",
        "locations": [ZOOM, JITSI],
        "uris": ["https://plain.example"],
    }
    ours = dataclasses.replace(as_own_event(read(record)), online_url="")
    record = written_twice(ours, record)
    record = written_twice(dataclasses.replace(ours, title="y"), record)
    assert record["locations"] == [JITSI]
    assert record["uris"] == ["https://plain.example"]


def test_removing_the_link_from_a_hybrid_record_without_a_mode_is_one_write() -> None:
    record: Any = {"$type": EVENT, "name": "x", "locations": [HALL_A, ZOOM]}
    ours = dataclasses.replace(as_own_event(read(record)), online_url="")
    assert ours.mode is Mode.HYBRID
    assert written_twice(ours, record)["mode"] == f"{EVENT}#hybrid"


@pytest.mark.parametrize("venue", VENUES)
def test_our_note_reveals_nothing_that_is_not_in_the_record(venue: Venue) -> None:
    """The mark contains digests, but no place name and no URL."""
    record: Any = {"$type": EVENT, "name": "x", "mode": f"{EVENT}#hybrid", "locations": [HALL_A, HALL_B, ZOOM, JITSI]}
    ours = dataclasses.replace(as_own_event(read(record)), venue=venue, online_url="")
    mark = repr(written_twice(ours, record)[ORIGIN_KEY])
    assert not any(word in mark for word in ("Hall", "Park", "Club", "zoom", "jitsi"))


def test_a_single_entry_of_ours_needs_no_note() -> None:
    assert write_event(OWN_EVENT, None)[ORIGIN_KEY] == {
        "$type": ORIGIN_KEY,
        "instance": "https://meet.example",
        "eventId": "0195",
        "version": 3,
    }


@pytest.mark.parametrize("place", [HALL_A, {"$type": "community.lexicon.location.fsq", "name": "Cafe"}])
def test_an_equal_place_of_another_app_stays(place: Any) -> None:
    """When the event moves online, this site's place is removed. Back in person the event has the other app's place,
    and online again that place is still there.
    """
    record: Any = {"$type": EVENT, "name": "x", "mode": f"{EVENT}#inperson", "locations": [place, place]}
    ours = as_own_event(read(record))
    for mode in (Mode.ONLINE, Mode.IN_PERSON, Mode.ONLINE):
        record = written_twice(dataclasses.replace(ours, mode=mode), record)
    assert record["locations"] == [place]


CAFE = {"$type": ADDRESS, "country": "AT", "name": "Café"}


@pytest.mark.parametrize("agreed", [[HALL_A], []])
def test_our_place_is_written_next_to_another_apps_replacement(agreed: list[Any]) -> None:
    """Both sides changed the place: this site's comes first, then the other app's. It is written once, and the next
    edit finds it again.
    """
    base = {"$type": EVENT, "name": "Chess", "locations": agreed}
    theirs = {**base, "locations": [CAFE]}
    ours = dataclasses.replace(OWN_EVENT, venue=Venue(name="Hall B", country="AT"))
    written = write_event(ours, theirs, EarlierVersions(agreed=base))
    assert written["locations"] == [HALL_B, CAFE]
    assert is_up_to_date(ours, written, EarlierVersions(agreed=written))
    taken = dataclasses.replace(ours, venue=Venue(name="Café", country="AT"))
    alone = write_event(taken, written, EarlierVersions(agreed=written))
    assert alone["locations"] == [CAFE], "accepting the other value lists it once"
    assert is_up_to_date(taken, alone, EarlierVersions(agreed=alone))
    moved = write_event(dataclasses.replace(ours, venue=WRITABLE), written, EarlierVersions(agreed=written))
    assert [one["name"] for one in moved["locations"]] == ["Club", "Café"]
    assert [one.name for one in ours_as_read(ours, theirs, rkey="3mqdau33ozs2n").venues][:1] == ["Hall B"]


def test_our_place_stays_ours_after_another_apps_edit() -> None:
    """The other app added a street: the entry is updated, not duplicated."""
    base = {"$type": EVENT, "name": "Chess", "locations": [HALL_A]}
    theirs = {**base, "locations": [{**HALL_A, "street": "Ring 1"}]}
    ours = dataclasses.replace(OWN_EVENT, venue=Venue(name="Hall A", country="AT", street="Ring 1", locality="Wien"))
    written = write_event(ours, theirs, EarlierVersions(agreed=base))
    assert written["locations"] == [{**HALL_A, "street": "Ring 1", "locality": "Wien"}]
