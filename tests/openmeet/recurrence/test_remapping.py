"""The dates to which RSVPs move when a rule changes."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openmeet.recurrence.split import remap

TUESDAY = datetime.fromisoformat("2026-11-24T18:00")


def weekly(start: datetime, count: int, days: int = 7) -> list[datetime]:
    return [start + timedelta(days=days * number) for number in range(count)]


def test_another_hour_is_the_same_meeting() -> None:
    old, new = weekly(TUESDAY, 5), weekly(TUESDAY + timedelta(hours=2), 5)
    assert list(remap(old, new).values()) == new


def test_another_weekday_is_the_same_meeting() -> None:
    old, new = weekly(TUESDAY, 5), weekly(TUESDAY + timedelta(days=1), 5)
    assert list(remap(old, new).values()) == new
    assert list(remap(new, old).values()) == old


def test_every_second_week_leaves_the_other_dates_without_a_place() -> None:
    old, new = weekly(TUESDAY, 6), weekly(TUESDAY, 3, 14)
    assert [remap(old, new)[date] for date in old] == [new[0], None, new[1], None, new[2], None]


def test_two_dates_on_one_day() -> None:
    morning, evening = TUESDAY.replace(hour=9), TUESDAY.replace(hour=18)
    assert remap([morning, evening], [morning.replace(hour=10), evening.replace(hour=19)]) == {
        morning: morning.replace(hour=10),
        evening: evening.replace(hour=19),
    }


def test_a_single_date() -> None:
    assert remap([TUESDAY], [TUESDAY + timedelta(days=2)]) == {TUESDAY: TUESDAY + timedelta(days=2)}
    assert remap([TUESDAY], [TUESDAY + timedelta(days=5)]) == {TUESDAY: None}
    assert remap([TUESDAY], []) == {TUESDAY: None}


_DATES = st.lists(st.integers(0, 400).map(lambda hours: TUESDAY + timedelta(hours=hours * 3)), max_size=15, unique=True)


def test_a_date_outside_the_rule_takes_no_dates_place() -> None:
    tuesdays, wednesdays, thursdays = (weekly(TUESDAY + timedelta(days=days), 3) for days in range(3))
    found = remap([*tuesdays, *wednesdays], thursdays, apart=tuesdays)
    assert found == dict(zip(wednesdays, thursdays, strict=True)) | dict.fromkeys(tuesdays)
    later = [at + timedelta(hours=1) for at in tuesdays]
    assert remap(tuesdays, later, apart=tuesdays) == dict(zip(tuesdays, later, strict=True)), (
        "its day is an occurrence again"
    )
    noon = [at.replace(hour=12) for at in tuesdays]
    assert remap([*tuesdays, *noon], later, apart=noon) == dict(zip(tuesdays, later, strict=True)) | dict.fromkeys(noon)


@given(old=_DATES, apart=_DATES, new=_DATES)
def test_a_date_outside_the_rule_is_matched_only_on_its_own_day(
    old: list[datetime], apart: list[datetime], new: list[datetime]
) -> None:
    """A date outside the rule matches only a new date on the same day, and only if no date of the old rule matches it."""
    of_rule = [date for date in old if date not in apart]
    found = remap([*of_rule, *apart], new, apart=apart)
    alone = remap(of_rule, [date for date in new if date not in apart])
    of_that_day = {place for date, place in alone.items() if place is not None and place.date() == date.date()}
    for date in apart:
        place = found[date]
        assert place == date if date in new else place is None or place.date() == date.date()
        assert place == date or place not in of_that_day


@given(old=_DATES, new=_DATES)
def test_dates_are_matched_one_to_one(old: list[datetime], new: list[datetime]) -> None:
    found = remap(old, new)
    assert found.keys() == set(old)
    given_ = [date for date in found.values() if date is not None]
    assert len(given_) == len(set(given_))
    assert set(given_) <= set(new)
    assert all(found[date] == date for date in set(old) & set(new))
    assert remap(old, old) == {date: date for date in old}
