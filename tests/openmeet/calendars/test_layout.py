"""Layout of calendar entries: no entries overlap or are lost, and the number of drawn entries is bounded."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from openmeet.web.calendar_layout.grid import (
    DAY_MINUTES,
    DAYS,
    FIRST_HOUR,
    LAST_HOUR,
    LEAST_MINUTES,
    MAX_COLUMNS,
    MAX_LANES,
    STEP_MINUTES,
    HourBlock,
    SpanningEntry,
    TimedEntry,
    blocks_of_day,
    hours_of,
    minutes_of,
    week_of_bars,
    week_start,
)

MONDAY = date(2026, 3, 2)
BERLIN = ZoneInfo("Europe/Berlin")


def on(key: str, first: int, last: int | None = None) -> SpanningEntry[str]:
    """An entry from one day of the week to another, where 0 is Monday."""
    return SpanningEntry(key, MONDAY + timedelta(days=first), MONDAY + timedelta(days=first if last is None else last))


def at(key: str, start: str, end: str) -> TimedEntry[str]:
    (h1, m1), (h2, m2) = (map(int, clock.split(":")) for clock in (start, end))
    return TimedEntry(key, h1 * 60 + m1, h2 * 60 + m2)


def test_a_long_entry_is_one_bar_above_the_short_ones():
    week = week_of_bars(MONDAY, [on("tea", 2), on("festival", 2, 5), on("walk", 3)])
    assert [(bar.key, bar.day, bar.days, bar.lane) for bar in week.bars] == [
        ("festival", 2, 4, 0),
        ("tea", 2, 1, 1),
        ("walk", 3, 1, 1),
    ]
    assert week.hidden == (0,) * DAYS


def test_a_bar_shows_whether_it_continues_outside_the_week():
    (bar,) = week_of_bars(MONDAY, [on("festival", -3, 9)]).bars
    assert (bar.day, bar.days, bar.is_start, bar.is_end) == (0, 7, False, False)
    (bar,) = week_of_bars(MONDAY, [on("festival", 5, 9)]).bars
    assert (bar.day, bar.days, bar.is_start, bar.is_end) == (5, 2, True, False)


def test_a_full_day_shows_the_number_of_hidden_entries():
    exact = week_of_bars(MONDAY, [on(str(number), 1) for number in range(MAX_LANES)])
    assert len(exact.bars) == MAX_LANES
    assert exact.hidden[1] == 0
    full = week_of_bars(MONDAY, [on(str(number), 1) for number in range(MAX_LANES + 1)])
    assert [bar.lane for bar in full.bars] == list(range(MAX_LANES - 1))
    assert full.hidden[1] == 2


def test_a_thousand_entries_of_a_day_are_two_bars_and_a_number():
    week = week_of_bars(MONDAY, [on(str(number), 1) for number in range(1_000)])
    assert len(week.bars) == MAX_LANES - 1
    assert week.hidden[1] == 998


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 12)), max_size=24))
def test_bars_never_cross_and_every_entry_is_drawn_or_counted(spans: list[tuple[int, int]]):
    entries = [on(str(number), first, first + length) for number, (first, length) in enumerate(spans)]
    week = week_of_bars(MONDAY, entries)
    for day in range(DAYS):
        here = [bar for bar in week.bars if bar.day <= day < bar.day + bar.days]
        lanes = [bar.lane for bar in here]
        assert len(set(lanes)) == len(lanes)
        today = MONDAY + timedelta(days=day)
        assert len(here) + week.hidden[day] == sum(one.first <= today <= one.last for one in entries)
        assert not (week.hidden[day] and MAX_LANES - 1 in lanes)


def test_entries_at_the_same_time_share_the_width_and_others_have_all_of_it():
    blocks = blocks_of_day([at("talk", "19:00", "21:30"), at("choir", "19:30", "21:30"), at("tea", "09:00", "10:00")])
    assert [(one.key, one.column, one.columns) for one in blocks] == [("tea", 0, 1), ("talk", 0, 2), ("choir", 1, 2)]


def test_adjacent_entries_share_a_column():
    blocks = blocks_of_day([at("one", "09:00", "10:00"), at("two", "10:00", "11:00"), at("long", "09:30", "12:00")])
    assert [(one.key, one.column, one.columns) for one in blocks] == [("one", 0, 2), ("long", 1, 2), ("two", 0, 2)]


def test_a_short_entry_is_touchable_and_stays_within_the_day():
    (short,) = blocks_of_day([at("ring", "12:00", "12:05")])
    assert short.end - short.start == LEAST_MINUTES
    (late,) = blocks_of_day([at("late", "23:50", "23:59")])
    assert late.end == DAY_MINUTES
    assert late.end - late.start >= LEAST_MINUTES


def test_entries_that_do_not_fit_are_counted():
    blocks = blocks_of_day([at(str(number), "19:00", "20:00") for number in range(1_000)])
    assert [one.key for one in blocks] == ["0", "1", None]
    assert blocks[-1] == HourBlock(None, 19 * 60, 20 * 60, MAX_COLUMNS - 1, MAX_COLUMNS, hidden=998)


@given(st.lists(st.tuples(st.integers(0, DAY_MINUTES - 1), st.integers(0, 600)), max_size=20))
def test_blocks_never_cover_each_other_and_every_entry_is_drawn_or_counted(spans: list[tuple[int, int]]):
    entries = [TimedEntry(str(n), start, min(start + length, DAY_MINUTES)) for n, (start, length) in enumerate(spans)]
    blocks = blocks_of_day(entries)
    for block in blocks:
        assert 0 <= block.start < block.end <= DAY_MINUTES
        assert block.start % STEP_MINUTES == block.end % STEP_MINUTES == 0
        assert 0 <= block.column < block.columns <= MAX_COLUMNS
    for number, one in enumerate(blocks):
        for other in blocks[:number]:
            if one.start < other.end and other.start < one.end:
                assert one.columns == other.columns
                assert one.column != other.column
    assert sum(1 if block.key else block.hidden for block in blocks) == len(entries)


def test_an_entry_past_midnight_has_a_part_on_each_day():
    starts, ends = datetime(2026, 3, 7, 22, tzinfo=BERLIN), datetime(2026, 3, 8, 7, 30, tzinfo=BERLIN)
    assert minutes_of(starts, ends, date(2026, 3, 7)) == (22 * 60, DAY_MINUTES)
    assert minutes_of(starts, ends, date(2026, 3, 8)) == (0, 7 * 60 + 30)


def test_when_clocks_go_back_an_entry_is_as_long_as_it_takes():
    """On 25 October 2026 the hour from 02:00 to 03:00 occurs twice in Berlin: half an hour after the first 02:45 it is
    02:15.
    """
    starts = datetime(2026, 10, 25, 0, 45, tzinfo=ZoneInfo("UTC")).astimezone(BERLIN)
    ends = datetime(2026, 10, 25, 1, 15, tzinfo=ZoneInfo("UTC")).astimezone(BERLIN)
    assert (starts.hour, ends.hour, ends.minute) == (2, 2, 15)
    assert minutes_of(starts, ends, date(2026, 10, 25)) == (2 * 60 + 45, 3 * 60 + 15)


def test_when_clocks_go_forward_an_entry_ends_where_the_clock_is():
    starts = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("UTC")).astimezone(BERLIN)
    ends = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("UTC")).astimezone(BERLIN)
    assert minutes_of(starts, ends, date(2026, 3, 29)) == (90, 210)


def test_the_hours_shown_cover_the_usual_day_and_all_entries():
    assert hours_of([]) == (FIRST_HOUR, LAST_HOUR)
    blocks = blocks_of_day([at("run", "06:40", "07:30"), at("party", "22:00", "24:00")])
    assert hours_of(blocks) == (6, 24)


def test_the_first_day_of_the_week_is_local():
    sunday = date(2026, 3, 1)
    assert week_start(sunday, 0) == date(2026, 2, 23)
    assert week_start(sunday, 6) == sunday
    assert week_start(sunday, 5) == date(2026, 2, 28)
