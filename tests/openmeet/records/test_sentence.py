"""The sentence about a series is appended and removed exactly. After somebody has changed it, it belongs to the author."""

from groundwork.clock import Instant
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import NOWHERE, Mode
from openmeet.network.records.collections import EVENT, ORIGIN_KEY, SERIES_LINK_KEY
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import Publishable, is_up_to_date, write_event
from openmeet.network.records.own_entries import EarlierVersions
from openmeet.network.records.series import SeriesPart, read_link

NOW = Instant(1_772_366_400_000_000)
URL = "https://meet.example/series/games"
WEEKLY = f"Every week on Saturday at 18:00. All dates: {URL}"


def ours(description: str = "Bring a cup.", sentence: str = WEEKLY, **more: object) -> Publishable:
    values: dict = {
        "title": "Games",
        "description": description,
        "starts_at": NOW,
        "ends_at": None,
        "time_zone": "UTC",
        "mode": Mode.IN_PERSON,
        "status": EventStatus.SCHEDULED,
        "venue": NOWHERE,
        "online_url": "",
        "created_at": NOW,
        "page_url": "https://meet.example/events/games",
        "instance": "https://meet.example",
        "event_id": "e",
        "version": 1,
        "series": SeriesPart(URL, sentence, "2026-03-07T18:00:00"),
    }
    return Publishable(**{**values, **more})


def read(record: dict) -> str:
    return read_event(EVENT, record, rkey="x", indexed_at=NOW).event.description


def test_the_sentence_is_appended_and_removed_when_read():
    record = write_event(ours(), None)
    assert record["description"] == f"Bring a cup.\n\n{WEEKLY}"
    assert read(record) == "Bring a cup."
    assert record[SERIES_LINK_KEY]["url"] == URL
    assert read_link(record).recurrence_id == "2026-03-07T18:00:00"
    assert is_up_to_date(ours(), record)


def test_without_a_description_the_sentence_is_all_of_it():
    record = write_event(ours(""), None)
    assert (record["description"], read(record)) == (WEEKLY, "")
    assert is_up_to_date(ours(""), record)


def test_another_rule_changes_only_the_sentence():
    before = write_event(ours(), None) | {"facets": [{"index": {"byteStart": 0, "byteEnd": 5}}]}
    daily = f"Every day at 18:00. All dates: {URL}"
    after = write_event(ours(sentence=daily, version=2), before)
    assert after["description"] == f"Bring a cup.\n\n{daily}"
    # The facets refer to the author's text, which has not changed.
    assert after["facets"] == before["facets"]
    assert {name for name in after if after[name] != before.get(name)} == {"description", ORIGIN_KEY}
    assert read(after) == "Bring a cup."


def test_an_altered_sentence_becomes_the_authors_text_and_is_not_added_again():
    before = write_event(ours(), None)
    altered = f"Bring a cup.\n\nEvery Saturday! All dates: {URL}"
    theirs = before | {"description": altered}
    assert read(theirs) == altered
    assert is_up_to_date(ours(altered), theirs)
    after = write_event(ours("Bring two cups.", version=2), theirs)
    assert after["description"] == "Bring two cups."
    assert is_up_to_date(ours("Bring two cups.", version=2), after)


def test_a_removed_sentence_is_not_added_again():
    theirs = write_event(ours(), None) | {"description": "Bring a cup."}
    assert is_up_to_date(ours(), theirs)


def test_the_sentence_is_recognised_without_our_mark():
    """The text that this site wrote is stored with the publication."""
    written = write_event(ours(), None)
    theirs = {name: value for name, value in written.items() if name != ORIGIN_KEY}
    again = write_event(ours("Bring two cups."), theirs, EarlierVersions(agreed=written, written=written))
    assert again["description"] == f"Bring two cups.\n\n{WEEKLY}"


def test_an_event_that_leaves_the_series_loses_sentence_and_link():
    before = write_event(ours(), None)
    after = write_event(ours(series=None, version=2), before)
    assert after["description"] == "Bring a cup."
    assert SERIES_LINK_KEY not in after
    assert "sentence" not in after[ORIGIN_KEY]


def test_fields_that_others_added_to_the_link_stay():
    before = write_event(ours(), None)
    before[SERIES_LINK_KEY]["com.example.seat"] = 4
    after = write_event(ours(title="More games", version=2), before)
    assert after[SERIES_LINK_KEY]["com.example.seat"] == 4
