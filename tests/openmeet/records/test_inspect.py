"""Every captured file is understood, or the reader gives a reason."""

import msgspec
import pytest

from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.network.records.inspect import InspectedRecord, inspect_file, lines_of
from tests.external_dependencies import fixture_path, needs

NOW = Instant(1_795_000_000_000_000)

# The content of each captured file: events, answers, and records that are neither.
EXPECTED = {
    "adapter-event-geo-strings.json": (1, 0, 0),
    "atmo-rsvp-event-game-night.json": (1, 0, 0),
    "event-all-location-types.json": (1, 0, 0),
    "import-guild-london-graphql.json": (0, 0, 1),
    "import-guild-react-summit.json": (0, 0, 1),
    "nonconforming-shapes.json": (1, 1, 0),
    "repo-events-irregular-monthly.json": (28, 0, 0),
    "repo-two-kinds-one-author.json": (2, 0, 0),
    "rsvp-going-listrecords.json": (0, 1, 0),
    "smokesignal-legacy-event.json": (1, 0, 0),
    "smokesignal-style-event-atmosphereconf-2026.json": (1, 0, 0),
}


def inspected(name: str) -> list[InspectedRecord]:
    return inspect_file(fixture_path(f"data/calendar-records/{name}").read_bytes(), now=NOW)


@needs("fixtures")
def test_every_captured_file_is_listed():
    assert {path.name for path in fixture_path("data/calendar-records").iterdir()} == set(EXPECTED)


@needs("fixtures")
@pytest.mark.parametrize("name", EXPECTED)
def test_captured_file(name):
    understood = inspected(name)
    kinds = [one.understood_as for one in understood]
    assert (kinds.count("event"), kinds.count("rsvp"), kinds.count("")) == EXPECTED[name]
    assert all(one.understood_as or one.problem for one in understood)
    assert all(list(lines_of(one)) for one in understood)


@needs("fixtures")
@pytest.mark.parametrize("name", ["atmo-rsvp-event-game-night.json", "smokesignal-legacy-event.json"])
def test_the_cid_is_recomputed(name):
    """The encoding of the JSON gives the same bytes as the repository."""
    assert inspected(name)[0].cid == inspected(name)[0].cid_claimed


BEN = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
ANA = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
GROUP_URI = f"at://{ANA}/openmeet.lexicon.group/chess"
OF_GROUPS: list[tuple[str, dict[str, object], str, dict[str, str]]] = [
    (
        GROUP_URI,
        {"name": "Chess", "joining": "openmeet.lexicon.group#open", "roles": [{"name": "x#owner"}], "com.x": 1},
        "group",
        {"name": "Chess", "join policy": "open", "roles": "x#owner"},
    ),
    (
        f"at://{ANA}/openmeet.lexicon.series/tea",
        {"name": "Tea", "timezone": "Europe/Vienna", "dtstart": "2026-03-07T18:00:00", "rrule": ["FREQ=WEEKLY"]},
        "series",
        {"title": "Tea", "repeats": "Every Saturday at 18:00"},
    ),
    (
        f"at://{ANA}/openmeet.lexicon.groupAcceptance/a",
        {
            "group": GROUP_URI,
            "member": BEN,
            "membership": {"uri": f"at://{BEN}/openmeet.lexicon.groupMembership/m", "cid": "bafy"},
            "role": "openmeet.lexicon.group#admin",
        },
        "group acceptance",
        {"group": GROUP_URI, "member": BEN, "role": "admin"},
    ),
    (f"at://{BEN}/openmeet.lexicon.groupMembership/m", {"group": GROUP_URI}, "group membership", {"group": GROUP_URI}),
]


@pytest.mark.parametrize(("uri", "record", "kind", "fields"), OF_GROUPS, ids=[one[2] for one in OF_GROUPS])
def test_records_of_groups_and_series_are_understood(uri, record, kind, fields):
    """All fields are read with their source, and unknown ones are listed."""
    (one,) = inspect_file(msgspec.json.encode({"uri": uri, "value": record}), now=NOW)
    assert (one.understood_as, one.problem) == (kind, "")
    read = {field.name: field.value for field in one.fields}
    assert {name: read[name] for name in fields} == fields
    assert [kept.path for kept in one.kept] == (["com.x"] if "com.x" in record else [])
    assert {field.source for field in one.fields} <= set(record)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"$type": "openmeet.lexicon.groupMembership"}, "AT URI"),
        ({"$type": "openmeet.lexicon.group", "name": ""}, "no name"),
        ({"$type": "openmeet.lexicon.series", "name": "Tea"}, "time zone"),
    ],
)
def test_an_unknown_record_states_the_reason(record, why):
    (one,) = inspect_file(msgspec.json.encode(record), now=NOW)
    assert one.understood_as == ""
    assert why in one.problem


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_invalid_json_is_refused(content):
    with pytest.raises(InvalidInput):
        inspect_file(content, now=NOW)
