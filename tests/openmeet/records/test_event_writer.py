"""Read-modify-write of records: this site's fields change, everything else is written back as it was read."""

import dataclasses
import json
from typing import Any

import pytest

from at_protocol.data import cbor
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from openmeet.domain.events.model import EventStatus, NetworkEvent
from openmeet.domain.events.values import Mode, Venue
from openmeet.network.records.collections import EVENT, ORIGIN_KEY
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import encode_record, is_up_to_date, ours_as_read, write_event
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.records.event_values import OWN_EVENT, READ_AT, as_own_event


def captured(name: str) -> Any:
    found = json.loads(fixture_path(f"data/calendar-records/{name}").read_text())
    return found.get("value", found)


FOREIGN = [
    "adapter-event-geo-strings.json",
    "atmo-rsvp-event-game-night.json",
    "event-all-location-types.json",
    "smokesignal-style-event-atmosphereconf-2026.json",
]


def read(record: object) -> NetworkEvent:
    return read_event(EVENT, record, rkey="self", indexed_at=READ_AT).event


def test_new_record_is_valid_and_reads_back_the_same():
    record = write_event(OWN_EVENT, None)
    validate_record(Catalog(), EVENT, record)
    back = read(record)
    assert (back.name, back.starts_at, back.ends_at) == (OWN_EVENT.title, OWN_EVENT.starts_at, OWN_EVENT.ends_at)
    assert back.venues[0].country == "AT"
    assert record[ORIGIN_KEY] == {
        "$type": ORIGIN_KEY,
        "instance": "https://meet.example",
        "eventId": "0195",
        "version": 3,
    }


def test_writing_the_same_again_enqueues_nothing():
    assert is_up_to_date(OWN_EVENT, write_event(OWN_EVENT, None))


def test_a_higher_version_alone_causes_no_write():
    """The version counter in the mark of origin changes only together with a visible field."""
    assert is_up_to_date(dataclasses.replace(OWN_EVENT, version=9), write_event(OWN_EVENT, None))


@needs("fixtures")
@pytest.mark.parametrize("name", FOREIGN)
def test_an_unedited_record_of_another_app_is_not_written(name):
    record = captured(name)
    assert write_event(as_own_event(read(record)), record) == record


@needs("fixtures")
@pytest.mark.parametrize("name", FOREIGN)
def test_renaming_changes_only_the_name(name):
    """Unknown variants, pictures, dates with offsets and the order of lists stay the same byte for byte."""
    record = captured(name)
    ours = dataclasses.replace(as_own_event(read(record)), title="Renamed")
    written = write_event(ours, record)
    assert {k: v for k, v in written.items() if k not in {"name", ORIGIN_KEY}} == {
        k: v for k, v in record.items() if k != "name"
    }
    assert written["name"] == "Renamed"


@needs("fixtures")
def test_facets_are_removed_with_the_text_they_belong_to():
    record = captured("smokesignal-style-event-atmosphereconf-2026.json")
    written = write_event(dataclasses.replace(as_own_event(read(record)), description="Shorter."), record)
    assert "facets" not in written
    assert written["media"] == record["media"]


@needs("fixtures")
def test_moving_the_venue_keeps_places_of_other_apps():
    record = captured("event-all-location-types.json")
    ours = dataclasses.replace(as_own_event(read(record)), venue=Venue(name="Hall", locality="Linz", country="AT"))
    written = write_event(ours, record)
    assert written["locations"][0] == {
        "$type": "community.lexicon.location.address",
        "country": "AT",
        "name": "Hall",
        "locality": "Linz",
    }
    assert written["locations"][1:] == record["locations"][1:]


def test_an_unknown_country_is_not_made_up():
    """Without a country an address is invalid by the Lexicon, so only coordinates are written, or nothing."""
    nowhere = dataclasses.replace(OWN_EVENT, venue=Venue(name="Park", street="Ring 1"))
    assert "locations" not in write_event(nowhere, None)
    point = dataclasses.replace(OWN_EVENT, venue=Venue(name="Park", latitude="0", longitude="0"))
    assert write_event(point, None)["locations"] == [
        {"$type": "community.lexicon.location.geo", "latitude": "0", "longitude": "0", "name": "Park"}
    ]


def test_cancelling_changes_only_the_status():
    before = write_event(OWN_EVENT, None)
    after = write_event(dataclasses.replace(OWN_EVENT, status=EventStatus.CANCELLED), before)
    assert after["status"] == f"{EVENT}#cancelled"
    assert {k: v for k, v in after.items() if k != "status"} == {k: v for k, v in before.items() if k != "status"}


def test_null_is_never_written():
    before = write_event(OWN_EVENT, None)
    after = write_event(dataclasses.replace(OWN_EVENT, ends_at=None), before)
    assert "endsAt" not in after
    assert None not in after.values()


def test_a_public_join_link_is_added_and_removed():
    online = dataclasses.replace(OWN_EVENT, mode=Mode.ONLINE, venue=Venue(), online_url="https://video.example/1")
    written = write_event(online, None)
    assert read(written).online_url == "https://video.example/1"
    hidden = write_event(dataclasses.replace(online, online_url=""), written)
    assert b"video.example" not in cbor.encode(hidden)
    assert is_up_to_date(dataclasses.replace(online, online_url=""), hidden)


def test_our_version_equals_what_a_reader_sees():
    base = write_event(OWN_EVENT, None)
    edited = dataclasses.replace(OWN_EVENT, title="Go in the park")
    assert ours_as_read(edited, base, rkey="self") == dataclasses.replace(read(base), name="Go in the park")


def test_the_cid_is_that_of_the_bytes():
    written = encode_record(write_event(OWN_EVENT, None))
    assert cbor.decode(written.body) == written.record
    assert str(written.cid).startswith("bafyrei")


def test_an_online_event_keeps_no_place_in_its_record():
    """When an event moves online, the address of the former place must not stay public (invariant 3)."""
    online = dataclasses.replace(OWN_EVENT, mode=Mode.ONLINE)
    before = write_event(OWN_EVENT, None)
    after = write_event(online, before)
    assert after["mode"].endswith("#virtual")
    assert "Ring 1" not in json.dumps(after)
    assert after["locations"] == []
    assert write_event(online, after) == after
    assert "locations" not in write_event(online, None)


def test_an_event_in_person_again_has_its_place_again():
    online = write_event(dataclasses.replace(OWN_EVENT, mode=Mode.ONLINE), write_event(OWN_EVENT, None))
    assert read(write_event(OWN_EVENT, online)).venues == read(write_event(OWN_EVENT, None)).venues


def test_a_place_that_another_app_gave_an_online_event_stays():
    """The other app published both, and this site's edit of the title does not concern the place (invariant 6)."""
    theirs = {**write_event(OWN_EVENT, None), "mode": f"{EVENT}#virtual"}
    ours = dataclasses.replace(as_own_event(read(theirs)), title="Go in the park")
    assert write_event(ours, theirs)["locations"] == theirs["locations"]


def test_the_link_to_our_page_has_the_events_name():
    """After a rename the link has the new name too. Other links keep theirs."""
    theirs = {"uri": "https://tickets.example/", "name": "Chess in the park"}
    before = write_event(OWN_EVENT, None)
    before = {**before, "uris": [*before["uris"], theirs]}
    after = write_event(dataclasses.replace(OWN_EVENT, title="Go in the park"), before)
    assert after["uris"] == [{"uri": OWN_EVENT.page_url, "name": "Go in the park"}, theirs]


def test_another_apps_name_for_our_page_stays():
    """A record that this site has never written links to this site's page under its own label."""
    theirs = {"$type": EVENT, "name": "Chess", "createdAt": "2026-01-01T00:00:00Z"}
    theirs["uris"] = [{"uri": OWN_EVENT.page_url, "name": "Register here"}]
    assert write_event(dataclasses.replace(OWN_EVENT, title="Go"), theirs)["uris"] == theirs["uris"]


@needs("fixtures")
def test_renaming_keeps_a_description_longer_than_what_is_shown():
    record = {**captured("smokesignal-style-event-atmosphereconf-2026.json"), "description": "long " * 5_000}
    ours = dataclasses.replace(as_own_event(read(record)), title="Renamed")
    written = write_event(ours, record)
    assert written["description"] == record["description"]
    assert written.get("facets") == record.get("facets")


def test_a_title_with_stacked_marks_is_shortened_only_here():
    """The record of another app keeps its title when another field is changed here."""
    record = {**write_event(OWN_EVENT, None), "name": "Za" + "\u0363" * 40 + "lgo"}
    ours = as_own_event(read(record))
    assert ours.title == "Za" + "\u0363" * 8 + "lgo"
    assert is_up_to_date(ours, record)
    assert write_event(dataclasses.replace(ours, description="New."), record)["name"] == record["name"]
