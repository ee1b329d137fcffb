"""Series metadata that an older OpenMeet wrote to events: it is read where possible, and otherwise kept with the
reason.
"""

import pytest

from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.extension import MAX_NAME, series_name
from tests.openmeet.records.event_values import READ_AT, event_record


def notes_on(meta: object) -> tuple[list[tuple[str, str]], dict[str, str]]:
    notes = read_event(EVENT, event_record(openMeetMeta=meta), rkey="self", indexed_at=READ_AT).notes
    read = [(one.source, one.value) for one in notes.fields if one.source.startswith("openMeetMeta")]
    return read, {one.path: one.why for one in notes.kept if one.path.startswith("openMeetMeta")}


def test_the_series_is_read_and_the_rest_kept_with_a_reason() -> None:
    meta = {"seriesSlug": "tea-nights-x1", "isRecurring": True, "imageSourceKey": "2024/pic.jpg", "later": 1}
    read, kept = notes_on(meta)
    assert read == [("openMeetMeta/seriesSlug", "tea-nights-x1")]
    assert set(kept) == {"openMeetMeta/isRecurring", "openMeetMeta/imageSourceKey", "openMeetMeta/later"}
    assert all(kept.values())


@pytest.mark.parametrize(
    "meta",
    [
        None,
        "tea",
        ["tea"],
        {},
        {"seriesSlug": None},
        {"seriesSlug": {"$link": "x"}},
        {"seriesSlug": 7},
        {"seriesSlug": " \x00\n"},
        {"seriesSlug": "tea", "isRecurring": False},
    ],
)
def test_metadata_without_a_series_is_neither_a_hint_nor_a_failure(meta: object) -> None:
    assert series_name(meta) == ""
    read, _ = notes_on(meta)
    assert read == []


def test_a_name_is_one_line_of_bounded_length() -> None:
    """The name becomes part of a key, where it must remain the first line."""
    name = series_name({"seriesSlug": "a\nb" + "x" * 5_000})
    assert "\n" not in name
    assert len(name) == MAX_NAME
