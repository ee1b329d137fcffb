"""Three-way merge by field: every dropped value is recorded."""

import dataclasses

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from groundwork.clock import Instant
from openmeet.domain.events.model import EventStatus, NetworkEvent, RecordOrigin
from openmeet.domain.events.values import EventLink, Mode, Venue
from openmeet.domain.merge_decisions.model import MergeReason, MergeSide
from openmeet.network.ingestion.event_merge_rule import EVENT_RULE, GROUPS, ends_too_early
from openmeet.network.ingestion.three_way_merge import MergeInput, MergeResult, encode_edits
from tests.hypothesis_profiles import examples

BASE = NetworkEvent(
    name="Tea",
    description="Bring a cup.",
    starts_at=Instant(1_000_000),
    ends_at=None,
    starts_text="1970-01-01T00:00:01Z",
    ends_text="",
    time_zone="UTC",
    mode=Mode.IN_PERSON,
    status=EventStatus.SCHEDULED,
    venues=(Venue(name="Park"),),
    online_url="",
    links=(),
    is_discoverable=True,
    created_at=Instant(0),
)
FACTS = MergeInput(RecordOrigin.HERE, ours_at=Instant(10), theirs_at=Instant(20), ours_cid="a", theirs_cid="b")
EARLIER = dataclasses.replace(FACTS, ours_at=Instant(30))


def changed(**fields: object) -> NetworkEvent:
    return dataclasses.replace(BASE, **fields)


def merged(ours: NetworkEvent, theirs: NetworkEvent, facts: MergeInput = FACTS) -> MergeResult:
    return EVENT_RULE.merge(BASE, EVENT_RULE.edits_between(BASE, ours), theirs, facts)


def test_a_change_on_one_side_is_applied_silently():
    assert merged(BASE, changed(name="Coffee")) == MergeResult(changed(name="Coffee"), ())
    assert merged(changed(name="Coffee"), BASE) == MergeResult(changed(name="Coffee"), ())


def test_changes_to_different_fields_are_combined():
    result = merged(changed(name="Coffee"), changed(description="No cups.", status=EventStatus.CANCELLED))
    assert result == MergeResult(changed(name="Coffee", description="No cups.", status=EventStatus.CANCELLED), ())


def test_the_same_change_on_both_sides_is_no_conflict():
    assert merged(changed(name="Coffee"), changed(name="Coffee")) == MergeResult(changed(name="Coffee"), ())


def test_manual_edit_is_kept_and_the_dropped_value_is_recorded():
    result = merged(changed(name="Ours"), changed(name="Theirs"))
    assert result.value.name == "Ours"
    decision = result.decisions[0]
    assert (decision.base, decision.ours, decision.theirs) == ("Tea", "Ours", "Theirs")
    assert (decision.policy, decision.result) == (MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS)


@pytest.mark.parametrize(
    ("origin", "side"), [(RecordOrigin.HERE, MergeSide.OURS), (RecordOrigin.NETWORK, MergeSide.THEIRS)]
)
def test_origin_decides_about_times(origin: RecordOrigin, side: MergeSide):
    ours = changed(starts_at=Instant(5), starts_text="ours")
    theirs = changed(starts_at=Instant(6), starts_text="theirs")
    result = merged(ours, theirs, dataclasses.replace(FACTS, origin=origin))
    assert result.decisions[0].result is side
    assert (result.value.starts_at, result.value.starts_text) in {(5, "ours"), (6, "theirs")}


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"),
    [
        (EventStatus.CANCELLED, EventStatus.RESCHEDULED, EventStatus.CANCELLED),
        (EventStatus.RESCHEDULED, EventStatus.CANCELLED, EventStatus.CANCELLED),
        (EventStatus.POSTPONED, EventStatus.RESCHEDULED, EventStatus.POSTPONED),
    ],
)
def test_more_restrictive_status_wins(ours: EventStatus, theirs: EventStatus, wins: EventStatus):
    assert merged(changed(status=ours), changed(status=theirs)).value.status is wins


def test_changes_to_different_parts_of_a_place_are_combined():
    ours = changed(venues=(Venue(name="Park", street="Ring 1"),))
    theirs = changed(venues=(Venue(name="Park", locality="Wien"),))
    result = merged(ours, theirs)
    assert result.value.venues == (Venue(name="Park", street="Ring 1", locality="Wien"),)
    assert result.decisions[0].result is MergeSide.BOTH


@pytest.mark.parametrize(("facts", "street"), [(FACTS, "Ring 2"), (EARLIER, "Ring 1")])
def test_contradicting_places_follow_the_most_recent_change(facts: MergeInput, street: str):
    """Both sides have an address for the same venue, so one of them is wrong."""
    ours, theirs = (changed(venues=(Venue(name="Hall", street=f"Ring {number}"),)) for number in (1, 2))
    assert merged(ours, theirs, facts).value.venues == (Venue(name="Hall", street=street),)


PARK, HALL, CAFE, KIOSK = (Venue(name=name) for name in ("Park", "Hall", "Café", "Kiosk"))


@pytest.mark.parametrize("facts", [FACTS, EARLIER])
@pytest.mark.parametrize(
    ("was", "ours", "theirs", "both"),
    [
        ((PARK,), (HALL,), (CAFE,), (HALL, CAFE)),
        ((), (HALL,), (CAFE,), (HALL, CAFE)),
        ((PARK,), (HALL,), (PARK, CAFE), (HALL, CAFE)),
        ((PARK, KIOSK), (HALL, KIOSK), (PARK, CAFE, KIOSK), (HALL, KIOSK, CAFE)),
        ((PARK, KIOSK), (HALL, KIOSK), (CAFE,), (HALL, CAFE)),
    ],
)
def test_places_of_both_sides_are_kept(facts: MergeInput, was: tuple, ours: tuple, theirs: tuple, both: tuple):
    """Places added on either side are kept and removed ones are dropped. This site's places come first, and both
    changes are recorded.
    """
    base = changed(venues=was)
    edits = EVENT_RULE.edits_between(base, changed(venues=ours))
    result = EVENT_RULE.merge(base, edits, changed(venues=theirs), facts)
    assert result.value.venues == both
    (decision,) = result.decisions
    assert (decision.policy, decision.result) == (MergeReason.PARTS_ADD_UP, MergeSide.BOTH)
    assert (decision.ours, decision.theirs) == tuple("; ".join(one.name for one in some) for some in (ours, theirs))


def test_an_empty_place_is_not_added():
    result = merged(changed(venues=()), changed(venues=(CAFE,)), EARLIER)
    assert result.decisions[0].policy is MergeReason.MOST_RECENT


def test_ties_are_broken_by_cid():
    tie = dataclasses.replace(FACTS, ours_at=Instant(20))
    assert merged(changed(mode=Mode.ONLINE), changed(mode=Mode.HYBRID), tie).value.mode is Mode.HYBRID


events = st.builds(
    changed,
    name=st.sampled_from(["Tea", "Coffee", "Water"]),
    description=st.sampled_from(["Bring a cup.", "", "No cups."]),
    starts_at=st.sampled_from([Instant(1_000_000), Instant(5), None]),
    mode=st.sampled_from(Mode),
    status=st.sampled_from(EventStatus),
    venues=st.sampled_from([(), (Venue(name="Park"),), (Venue(name="Park", street="Ring 1"),), (Venue(name="Hall"),)]),
    links=st.sampled_from([(), (EventLink("https://example.org"),)]),
)


@given(ours=events, theirs=events)
@settings(max_examples=examples(200), deadline=None)
def test_every_merged_value_comes_from_a_side(ours: NetworkEvent, theirs: NetworkEvent):
    """Each field has the value of one side, or for places those of both. A dropped value is always recorded. If one
    side is unchanged, the value of the other one is used.
    """
    result = merged(ours, theirs)
    on_record = {decision.field for decision in result.decisions}
    for field, *_ in GROUPS:
        base, mine, their, now = (getattr(one, field) for one in (BASE, ours, theirs, result.value))
        if mine == base:
            assert now == their
        elif their in {base, mine}:
            assert now == mine
        else:
            assert field in on_record


@given(ours=events, theirs=st.lists(events, min_size=1, max_size=4))
@settings(max_examples=examples(100), deadline=None)
def test_only_their_newest_version_counts(ours: NetworkEvent, theirs: list[NetworkEvent]):
    """The result is that of the last version, however many versions there were. The merge needs three stored values and
    no intermediate steps.
    """
    edits = EVENT_RULE.edits_between(BASE, ours)
    since = BASE
    current = ours
    for version in theirs:
        edits |= EVENT_RULE.edits_between(since, current)
        result = EVENT_RULE.merge(BASE, edits, version, FACTS)
        since = current = result.value
    assert result == merged(ours, theirs[-1])


moments = st.sampled_from([None, *map(Instant, (5, 1_000_000, 2_000_000, 3_000_000))])
versions = st.builds(changed, starts_at=moments, ends_at=moments)


@given(base=versions, ours=versions, theirs=versions, origin=st.sampled_from(RecordOrigin))
@settings(max_examples=examples(300), deadline=None)
def test_the_end_is_never_before_the_start(
    base: NetworkEvent, ours: NetworkEvent, theirs: NetworkEvent, origin: RecordOrigin
):
    """One side moved the event, the other changed its end. The end is not before the start, and the dropped value is
    recorded.
    """
    assume(not any(ends_too_early(one.starts_at, one.ends_at) for one in (base, ours, theirs)))
    facts = dataclasses.replace(FACTS, origin=origin)
    result = EVENT_RULE.merge(base, EVENT_RULE.edits_between(base, ours), theirs, facts)
    times = result.value.starts_at, result.value.ends_at
    assert not ends_too_early(*times)
    on_record = {one.field: EVENT_RULE.decode_edits(one.theirs_values or b"") for one in result.decisions}
    for field, now, mine, their in zip(
        ("starts_at", "ends_at"), times, (ours.starts_at, ours.ends_at), (theirs.starts_at, theirs.ends_at), strict=True
    ):
        assert now in {mine, their}
        if now not in {their, getattr(base, field)}:
            assert their == getattr(base, field) or field in on_record
        if now == mine != their and mine == getattr(base, field):
            # Only the other side had changed this field, and its value was dropped because it contradicts the other
            # field.
            assert {"starts_at", "ends_at"} <= on_record[field].keys()


def test_a_remote_move_that_contradicts_a_local_end_is_dropped():
    base = changed(ends_at=Instant(2_000_000))
    ours = dataclasses.replace(base, ends_at=Instant(2_500_000))
    theirs = dataclasses.replace(base, starts_at=Instant(8_000_000), ends_at=Instant(9_000_000))
    result = EVENT_RULE.merge(base, EVENT_RULE.edits_between(base, ours), theirs, FACTS)
    assert (result.value.starts_at, result.value.ends_at) == (1_000_000, 2_500_000)
    assert [(one.field, one.result, one.theirs) for one in result.decisions] == [
        ("starts_at", MergeSide.OURS, "8000000"),
        ("ends_at", MergeSide.OURS, "9000000"),
    ]
    # Reversing either decision restores both times of the move.
    for one in result.decisions:
        wanted = EVENT_RULE.decode_edits(one.theirs_values or b"")
        assert (wanted["starts_at"], wanted["ends_at"]) == (8_000_000, 9_000_000)


@given(event=events)
@settings(max_examples=50, deadline=None)
def test_stored_values_are_read_back(event: NetworkEvent):
    assert EVENT_RULE.decode(EVENT_RULE.encode(event)) == event
    edits = EVENT_RULE.edits_between(BASE, event)
    assert EVENT_RULE.decode_edits(encode_edits(edits)) == edits
