"""Every captured file is understood or says why not."""

import pytest

from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.records.inspect import Understood, inspect_file, lines_of
from tests.parts import fixture_path, needs

NOW = Instant(1_795_000_000_000_000)

# What each captured file holds: events, answers, records that are neither.
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


def inspected(name: str) -> list[Understood]:
    return inspect_file(fixture_path(f"data/calendar-records/{name}").read_bytes(), now=NOW)


@needs("fixtures")
def test_every_captured_file_is_expected():
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
def test_cid_is_recomputed(name):
    """The bytes we would make of the JSON are the bytes that the repository holds."""
    assert inspected(name)[0].cid == inspected(name)[0].cid_claimed


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(content):
    with pytest.raises(InvalidInput):
        inspect_file(content, now=NOW)
