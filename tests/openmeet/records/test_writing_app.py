"""The app that wrote a record, according to the record. A foreign name is accepted only if it is a host name."""

import json

import pytest

from groundwork.clock import HandClock
from openmeet.network.records.collections import EVENT, LEGACY_EVENT, ORIGIN_KEY
from openmeet.network.records.provenance import MAX_LINKS, app_of, apps_of, name_of, writer_of, writers_of
from tests.databases import MakeDatabase
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.ingestion.network import did, event, rev
from tests.openmeet.ingestion.view import apply_messages


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"createdWith": "https://atmo.rsvp"}, "atmo.rsvp"),
        ({"createdWith": "https://www.smokesignal.events/x"}, "Smoke Signal"),
        ({"createdWith": "events.example"}, "events.example"),
        ({ORIGIN_KEY: {"instance": "https://meet.example", "eventId": "1", "version": 1}}, "meet.example"),
        ({"uris": [{"uri": "https://example.org/x"}, {"uri": "https://smokesignal.events/did/1"}]}, "Smoke Signal"),
        ({"uris": ["https://de.atmo.rsvp/1"]}, "atmo.rsvp"),
        ({"uris": [{"uri": "https://example.org"}]}, ""),
        ({}, ""),
    ],
)
def test_a_record_names_its_app(record: dict, name: str) -> None:
    assert name_of(app_of(EVENT, record)) == name


def test_the_older_collection_belongs_to_one_app() -> None:
    assert name_of(app_of(LEGACY_EVENT, {})) == "Smoke Signal"


@pytest.mark.parametrize(
    "record",
    [
        {ORIGIN_KEY: {"instance": "https://atmo.rsvp", "eventId": "1", "version": 1}},
        {"uris": [{"uri": "https://smokesignal.events/did/1"}]},
    ],
)
def test_an_origin_mark_or_a_link_is_not_about_the_writer(record: dict) -> None:
    assert app_of(EVENT, record)
    assert writer_of(EVENT, record) == ""
    assert writer_of(EVENT, record | {"createdWith": "https://events.example"}) == "events.example"


@pytest.mark.parametrize("own_host", ["openmeet.net", "www.openmeet.net"])
async def test_this_site_is_not_another_app(make_sqlite: MakeDatabase, clock: HandClock, own_host: str) -> None:
    """Not even where it is one of the known apps."""
    db = await make_sqlite("openmeet", clock=clock)
    await apply_messages(
        db, event(2, "tea", 1, "Tea", startsAt="2026-04-01T18:00:00Z", createdWith="https://openmeet.net")
    )
    uri = f"at://{did(2)}/{EVENT}/tea"
    async with db.reader() as reader:
        assert await apps_of(reader, [uri], own_host) == {}
        assert await writers_of(reader, [uri], own_host) == {}
        assert await apps_of(reader, [uri], "meet.example") == {uri: "OpenMeet"}
        assert await writers_of(reader, [uri], "meet.example") == {uri: (rev(1), "OpenMeet")}


@pytest.mark.parametrize(
    "said",
    [
        "javascript:alert(1)",
        "<b>Bluesky</b>",
        "The official Bluesky app",
        "https://",
        "https://[::1",
        "https://127.0.0.1",
        "https://localhost",
        f"https://{'a' * 70}.example",
        "https://evil\u202eexample.com",
        "https://notsmokesignal.events.example/smokesignal.events",
        7,
        ["https://atmo.rsvp"],
        None,
    ],
)
def test_an_invalid_or_lookalike_host_is_not_a_known_app(said: object) -> None:
    assert app_of(EVENT, {"createdWith": said}) in {"", "notsmokesignal.events.example"}


def test_only_the_first_links_are_checked() -> None:
    links = [{"uri": f"https://example.org/{n}"} for n in range(MAX_LINKS)]
    assert app_of(EVENT, {"uris": [*links, {"uri": "https://smokesignal.events/1"}]}) == ""


@needs("fixtures")
def test_real_records_name_their_app() -> None:
    names = {}
    for name in ("atmo-rsvp-event-game-night", "smokesignal-legacy-event"):
        value = json.loads(fixture_path(f"data/calendar-records/{name}.json").read_text())
        record = value.get("value", value)
        names[name] = name_of(app_of(record["$type"], record))
    assert names == {"atmo-rsvp-event-game-night": "atmo.rsvp", "smokesignal-legacy-event": "Smoke Signal"}
