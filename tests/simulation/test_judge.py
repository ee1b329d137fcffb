"""Tests of the judge of a random network, for cases that it once got wrong."""

from at_protocol.syntax import tid
from tests.simulation.announced import Held
from tests.simulation.oracle import EVENT, Change
from tests.simulation.simulation_audiences import versions_until
from tests.simulation.simulation_judge import words_allowed
from tests.simulation.simulation_memory import Memory

URI = f"at://did:plc:dot/{EVENT}/3tea"


def test_name_of_an_imported_copy_counts_as_the_last():
    """The event is renamed on OpenMeet and published; then an older copy is imported and the record is retracted. The
    copy's name was the last one.
    """
    before, after = _holding("Renamed here", "3b"), _holding("Tea", "3c")
    memory = Memory()
    memory.turn_back("dot", before, after)
    assert [(one.uri, one.rev) for one in memory.brought] == [(URI, "3c")]
    announced = [
        Change("did:plc:dot", EVENT, "3tea", rev, {"name": name})
        for rev, name in (("3a", "Tea"), ("3b", "Renamed here"))
    ]
    said = [str((one.value or {})["name"]) for one in sorted([*announced, *memory.brought], key=lambda one: one.rev)]
    assert words_allowed(said, "Renamed here", None) == {"Renamed here", "Tea"}


def test_unsent_text_must_be_shown():
    """This holds for any versions of the record, and also without a record."""
    assert words_allowed(["Tea"], "Renamed here", "Tea") == {"Renamed here"}
    assert words_allowed(["Tea"], "Renamed here", None) == {"Renamed here"}


def test_earlier_names_may_not_be_shown():
    """Without a later copy or edit, only the name given on OpenMeet is allowed, with or without a record."""
    assert words_allowed(["Tea", "Renamed here"], "Renamed here", "Renamed here") == {"Renamed here"}
    assert words_allowed(["Tea", "Renamed here"], "Renamed here", None) == {"Renamed here"}


def test_edits_of_the_record_after_handing_over_do_not_count():
    """The former owner renames the event in another app before and after."""
    revs = [tid.from_microseconds(at, 0) for at in (1_772_366_400_000_000, 1_772_366_460_000_000)]
    versions = [Change("did:plc:dot", EVENT, "3tea", rev, {"name": rev}) for rev in revs]
    assert versions_until(1_772_366_430_000_000, versions) == versions[:1]


def _holding(name: str, rev: str) -> Held:
    return Held("did:plc:dot", rev, "", {f"{EVENT}/3tea": {"name": name}}, {})
