"""Which single events form a series and which do not: generated series, noise, and a real repository."""

import json
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundwork.clock import Instant, from_datetime
from openmeet.domain.series import detection
from openmeet.domain.series.detection import CERTAIN, Sighting, find
from openmeet.recurrence import expansion
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.series.detection import BERLIN, dates_of_rule, wall_time

RULES = (
    "FREQ=DAILY",
    "FREQ=WEEKLY;BYDAY=TU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=FR",
    "FREQ=WEEKLY;BYDAY=TU,TH",
    "FREQ=MONTHLY;BYDAY=1TU",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=15",
    "FREQ=MONTHLY;INTERVAL=2;BYDAY=2WE",
    "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=21",
)


def seen(
    number: int, title: str, at: datetime, place: str = "Library", *, zone: str = BERLIN, says: str = "UTC"
) -> Sighting:
    return Sighting(f"e{number:03}", title, place, instant_of(at, zone), says)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("number", [4, 8])
def test_a_regular_series_is_found_with_its_rule(rule: str, number: int) -> None:
    """The series is found across both clock changes, although the events name no zone."""
    sightings = [seen(n, f"Board games #{n}", at) for n, at in enumerate(dates_of_rule(rule, number))]
    (found,) = find(sightings, [BERLIN])
    assert str(found.rule) == str(parse_rule(rule))
    assert found.zone_name == BERLIN
    assert found.confidence >= CERTAIN
    assert [event_id for event_id, _ in found.dates] == [one.id for one in sightings]


@settings(max_examples=60)
@given(
    rule=st.sampled_from(RULES[1:9]),
    # Four dates on two weekdays with one missing do not determine a rule.
    number=st.integers(6, 14),
    left_out=st.sets(st.integers(1, 3), max_size=1),
    moved=st.integers(0, 50),
    noise=st.lists(
        st.tuples(st.sampled_from(["Concert", "Lunch", "Reading", "Party"]), st.integers(0, 500)), max_size=8
    ),
    data=st.data(),
)
def test_series_are_found_among_other_events(rule, number, left_out, moved, noise, data) -> None:
    """One date is missing, one begins a little later, there are other events in between, and the order is random: the
    same dates are found.
    """
    dates = dates_of_rule(rule, number)
    held = [at for n, at in enumerate(dates) if n not in left_out]
    own = [seen(n, f"Choir {at:%B}", at + timedelta(minutes=moved if n == 2 else 0)) for n, at in enumerate(held)]
    others = [
        seen(500 + n, f"{title} {n * 7}", wall_time(2026, 1, 1, 20) + timedelta(days=day), f"Hall {n}")
        for n, (title, day) in enumerate(noise)
    ]
    (found,) = find(data.draw(st.permutations(own + others)), [BERLIN])
    assert {event_id for event_id, _ in found.dates} == {one.id for one in own}
    following = expansion.following(found.pattern, Instant(instant_of(held[-1], BERLIN) + 86_400_000_000), 3)
    beyond = dates_of_rule(rule, number + 3)[number:]
    assert [one.original for one in following] == beyond


@settings(max_examples=60)
@given(st.permutations([9, 12, 19, 24, 33, 38, 45]), st.integers(0, 6))
def test_irregular_events_are_not_a_series(gaps: list[int], shift: int) -> None:
    """The events have the same name and place, at intervals that no rule has."""
    days = [date(2026, 1, 5) + timedelta(days=shift + sum(gaps[:n])) for n in range(len(gaps) + 1)]
    sightings = [seen(n, "Jam session", wall_time(day.year, day.month, day.day, 20)) for n, day in enumerate(days)]
    assert [one for one in find(sightings, [BERLIN]) if one.confidence >= CERTAIN] == []


def test_other_names_and_places_are_separate_series() -> None:
    tuesdays, fridays = dates_of_rule(RULES[1], 5), dates_of_rule("FREQ=WEEKLY;BYDAY=FR", 5)
    one = [seen(n, "Chess night", at) for n, at in enumerate(tuesdays)]
    two = [seen(10 + n, "Chess night", at, "Café") for n, at in enumerate(fridays)]
    three = [seen(20 + n, "Yoga", at) for n, at in enumerate(tuesdays)]
    assert [str(found.rule)[-2:] for found in find(one + two + three, [BERLIN])] == ["FR", "TU", "TU"]


@pytest.mark.parametrize(
    ("titles", "called"),
    [
        (["Tea", "Tea", "Tea with cake"], "Tea"),
        (["Tea 1", "Tea 2", "Tea 3"], "Tea"),
        (["Board games #11", "Board games #12"], "Board games"),
        (["Meetup – March 2026", "Meetup – April 2026"], "Meetup"),
        (["12", "13"], "13"),
    ],
)
def test_a_series_has_the_common_name_of_its_dates(titles: list[str], called: str) -> None:
    assert detection.title_of(titles) == called


def test_two_events_are_no_series_and_three_an_uncertain_one() -> None:
    """Three dates four weeks apart could also be monthly: not certain enough to be shown as a series."""
    days = [wall_time(2026, 2, 3, 19), wall_time(2026, 3, 3, 19), wall_time(2026, 3, 31, 19)]
    assert find([seen(n, "Tea", at) for n, at in enumerate(days[:2])]) == []
    monthly = [wall_time(2026, 2, 3, 19), wall_time(2026, 3, 3, 19), wall_time(2026, 4, 7, 19)]
    ambiguous = [wall_time(2026, 2, 2, 19), wall_time(2026, 3, 2, 19), wall_time(2026, 4, 2, 19)]
    (sure,) = find([seen(n, "Tea", at) for n, at in enumerate(monthly)], [BERLIN])
    assert sure.confidence >= CERTAIN
    (doubtful,) = find([seen(n, "Tea", at) for n, at in enumerate(ambiguous)], [BERLIN])
    assert str(doubtful.rule) == "FREQ=MONTHLY;BYMONTHDAY=2"


def test_a_rule_with_half_its_dates_missing_is_not_accepted() -> None:
    """Two Tuesdays and a Sunday do not make a rule for every Tuesday and Sunday, and every other week does not make a
    rule for every week.
    """
    some = [wall_time(2026, 3, 10, 19), wall_time(2026, 3, 17, 19), wall_time(2026, 3, 29, 19)]
    assert find([seen(n, "Choir", at) for n, at in enumerate(some)], [BERLIN]) == []
    fortnightly = dates_of_rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=SA", 6)
    (found,) = find([seen(n, "Choir", at) for n, at in enumerate(fortnightly)], [BERLIN])
    assert found.rule.interval == 2


def test_many_events_of_one_author_can_be_searched() -> None:
    """Two thousand events, five of which are a series. The series is found, and the work is limited by the number of
    words that names share.
    """
    often = [
        seen(n, f"{'abcdefghij'[n % 10] * 5} {'klmnopqrst'[n // 10 % 10] * 7}", at)
        for n, at in enumerate(dates_of_rule("FREQ=DAILY", 1900))
    ]
    own = [seen(5000 + n, "Philosophers in the pub", at, "Pub") for n, at in enumerate(dates_of_rule(RULES[5], 5))]
    assert [str(one.rule) for one in find(often + own, [BERLIN]) if "philosophers" in one.key] == [RULES[5]]
    compared = 0

    def counting(one: str, other: str) -> bool:
        nonlocal compared
        compared += 1
        return one == other

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(detection, "_is_same", counting)
        find(often, [BERLIN])
    assert compared <= len(often) * detection.MAX_NAMES


@needs("fixtures")
def test_irregular_dates_of_a_real_repository_are_not_a_series() -> None:
    """A user group that meets around the end of most months, without a rule: neither a series nor a suggestion."""
    records = json.loads(fixture_path("data/calendar-records/repo-events-irregular-monthly.json").read_text())[
        "records"
    ]
    sightings = [
        Sighting(
            str(number),
            one["value"]["name"],
            (one["value"].get("locations") or [{}])[0].get("locality") or "",
            from_datetime(datetime.fromisoformat(one["value"]["startsAt"])),
            "UTC",
        )
        for number, one in enumerate(records)
    ]
    assert len(sightings) > 20
    assert find(sightings, [BERLIN]) == []
