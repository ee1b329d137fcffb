"""The import plan for an older database, before anything is written."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundwork.errors import InvalidInput, TooLarge
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.values import Visibility
from openmeet.domain.legacy_import import read
from openmeet.domain.legacy_import.analysis import analyse
from openmeet.domain.legacy_import.model import WORDS, Oddity
from openmeet.domain.legacy_import.plan import LegacyPlan, LegacySeriesPart
from openmeet.domain.legacy_import.read import PostgresDump, read_old, source_of
from openmeet.domain.legacy_import.report import lines_of
from openmeet.recurrence.rule import format_rule
from tests.openmeet.legacy_import.legacy_site import LegacySite, date_of, event, legacy_site, utc, weekly

FIRST = datetime.fromisoformat("2025-03-04T18:00")  # a Tuesday
WEEK = timedelta(weeks=1)


def small() -> LegacySite:
    """A database with three people and nothing else."""
    legacy = legacy_site(0, people=3)
    for table in ("events", "eventAttendees", "groups", "groupMembers"):
        legacy.tables[table].clear()
    return legacy


async def plan_of(legacy: LegacySite, path: Path, zone: str = "UTC") -> LegacyPlan:
    return analyse(await read_old(PostgresDump(legacy.dump(path / "old.jsonl"))), zone)


def oddities(plan: LegacyPlan) -> set[Oddity]:
    return {oddity.what for oddity in plan.oddities}


def names(part: LegacySeriesPart) -> list[str]:
    return [one.name for one in part.dates]


async def test_a_parent_becomes_a_template_and_its_first_date(tmp_path: Path) -> None:
    """The series gets the parent's rule, zone and texts. Its dates are matched by their original local time."""
    legacy = small()
    parent = weekly(legacy, FIRST, matrixRoomId="!room:old.example")
    date_of(legacy, parent, FIRST + 4 * WEEK)  # after the change to summer time
    plan = await plan_of(legacy, tmp_path)
    (part,) = plan.parts
    assert part.content.title == legacy.tables["events"][0]["name"]
    assert part.timing.pattern.zone_name == "Europe/Berlin"
    assert format_rule(part.timing.pattern.rule) == "FREQ=WEEKLY;BYDAY=TU"
    assert names(part) == ["2025-03-04T18:00:00", "2025-04-01T18:00:00"]
    assert [one.overridden for one in part.dates] == [(), ()]
    assert not plan.oddities


async def test_attendees_of_the_parent_follow_unless_they_said_no(tmp_path: Path) -> None:
    legacy = small()
    parent = weekly(legacy, FIRST)
    legacy.answer(parent, 1, "confirmed")
    legacy.answer(parent, 2, "cancelled")
    legacy.answer(parent, 3, "maybe")
    (part,) = (await plan_of(legacy, tmp_path)).parts
    assert part.followers == (1, 3)
    assert [(one.old.user_id, one.status) for one in part.dates[0].answers] == [
        (1, AttendanceStatus.ATTENDING),
        (2, AttendanceStatus.DECLINED),
        (3, AttendanceStatus.INTERESTED),
    ]


async def test_an_exception_is_modified_in_what_differs(tmp_path: Path) -> None:
    legacy = small()
    parent = weekly(legacy, FIRST)
    date_of(legacy, parent, FIRST + WEEK, start=FIRST + WEEK + timedelta(hours=2), isRecurrenceException=True)
    date_of(legacy, parent, FIRST + 2 * WEEK, name="With guests", isRecurrenceException=True)
    date_of(legacy, parent, FIRST + 3 * WEEK, isRecurrenceException=True)
    plan = await plan_of(legacy, tmp_path)
    assert [one.overridden for one in plan.parts[0].dates] == [(), ("starts",), ("title",), ("starts",)]
    assert oddities(plan) == {Oddity.EXCEPTION_SAYS_THE_SAME}


async def test_a_split_becomes_a_second_linked_series(tmp_path: Path) -> None:
    """Dates go to the part that covers their time, people follow both parts, and the first one ends before the split."""
    legacy = small()
    parent = weekly(legacy, FIRST)
    legacy.answer(parent, 1, "confirmed")
    date_of(legacy, parent, FIRST + WEEK)
    split = date_of(
        legacy,
        parent,
        FIRST + 2 * WEEK,
        start=FIRST + 2 * WEEK + timedelta(hours=1),
        name="Later now",
        recurrenceRule={"freq": "WEEKLY", "byday": ["TU"]},
        isRecurring=True,
        recurrenceSplitPoint=True,
    )
    date_of(legacy, parent, FIRST + 3 * WEEK + timedelta(hours=1), name="Later now")
    plan = await plan_of(legacy, tmp_path)
    before, behind = plan.parts
    assert (before.after, behind.after) == (None, parent)
    assert behind.old.id == split
    assert behind.content.title == "Later now"
    assert names(before) == ["2025-03-04T18:00:00", "2025-03-11T18:00:00"]
    assert names(behind) == ["2025-03-18T19:00:00", "2025-03-25T19:00:00"]
    assert (before.followers, behind.followers) == ((1,), (1,))
    assert before.timing.pattern.rule is not None
    assert before.timing.pattern.rule.until is not None
    assert oddities(plan) == {Oddity.ENDED_BY_SPLIT}


async def test_without_recurrence_columns_every_event_is_single(tmp_path: Path) -> None:
    legacy = small()
    event(legacy)
    event(legacy)
    for row in legacy.tables["events"]:
        for name in list(row):
            if name.startswith(("recurrence", "isRec", "parent", "original", "timeZone")):
                del row[name]
    plan = await plan_of(legacy, tmp_path, "Europe/Paris")
    assert not plan.shape.has_recurrence
    assert (len(plan.parts), len(plan.singles)) == (0, 2)
    assert plan.singles[0].details.time_zone == "Europe/Paris"
    assert not plan.oddities


async def test_a_dump_may_leave_out_the_column_for_parents(tmp_path: Path) -> None:
    """Rows without a value often lack the key. A rule is enough to say that events recur."""
    legacy = small()
    weekly(legacy, FIRST)
    for row in legacy.tables["events"]:
        row.pop("parentEventId", None)
    plan = await plan_of(legacy, tmp_path)
    assert len(plan.parts) == 1
    assert "with recurrence columns" in next(lines_of(plan))


async def test_snake_case_columns_are_recognised(tmp_path: Path) -> None:
    legacy = legacy_site(40, seed=3)
    camel = await plan_of(legacy, tmp_path)
    for table, rows in list(legacy.tables.items()):
        legacy.tables[table] = [{_snake(name): value for name, value in row.items()} for row in rows]
    snake = await plan_of(legacy, tmp_path)
    assert snake.counts() == camel.counts()
    assert snake.parts == camel.parts


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            {"freq": "weekly", "interval": 2, "byweekday": [1, 3], "wkst": "SU"},
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU",
        ),
        ({"freq": 2, "byday": ["TU"], "count": 5}, "FREQ=WEEKLY;BYDAY=TU;COUNT=5"),
        ({"frequency": "MONTHLY", "byday": [{"weekday": 1, "n": 1}]}, "FREQ=MONTHLY;BYDAY=1TU"),
        ({"freq": "MONTHLY", "byday": "TU", "bysetpos": [1]}, "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1"),
        ({"freq": "YEARLY", "bymonth": [3], "bymonthday": 4}, "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=4"),
        ({"freq": "WEEKLY", "until": "2025-06-30"}, "FREQ=WEEKLY;UNTIL=20250630"),
        ({"freq": "WEEKLY", "until": "2025-06-30T16:00:00.000Z"}, "FREQ=WEEKLY;UNTIL=20250630T160000Z"),
        ("DTSTART:20250304T180000\nRRULE:FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=3"),
    ],
)
async def test_rules_are_translated(tmp_path: Path, rule: Any, text: str) -> None:
    legacy = small()
    weekly(legacy, FIRST, rule=rule)
    plan = await plan_of(legacy, tmp_path)
    assert plan.parts[0].timing.pattern.rule is not None
    assert format_rule(plan.parts[0].timing.pattern.rule) == text
    assert not plan.oddities


async def test_the_end_of_a_rule_can_be_in_separate_columns(tmp_path: Path) -> None:
    legacy = small()
    weekly(legacy, FIRST, rule={"freq": "WEEKLY"}, recurrenceCount=4)
    weekly(legacy, FIRST, rule={"freq": "WEEKLY", "count": 9}, recurrenceUntil="2025-05-01 16:00:00")
    plan = await plan_of(legacy, tmp_path)
    rules = [format_rule(part.timing.pattern.rule) for part in plan.parts if part.timing.pattern.rule]
    assert rules == ["FREQ=WEEKLY;COUNT=4", "FREQ=WEEKLY;UNTIL=20250501T160000Z"]
    assert oddities(plan) == {Oddity.COUNT_AND_UNTIL}


async def test_exceptions_are_days_or_moments(tmp_path: Path) -> None:
    legacy = small()
    named = ["2025-03-11", "2025-03-18T17:00:00.000Z", "2025-03-19", "nonsense"]
    weekly(legacy, FIRST, recurrenceExceptions=named)
    plan = await plan_of(legacy, tmp_path)
    assert plan.parts[0].timing.pattern.left_out == (FIRST + WEEK, FIRST + 2 * WEEK)
    assert [oddity.detail for oddity in plan.oddities] == ["2025-03-19", "nonsense"]


async def test_a_rule_that_is_refused_loses_no_date(tmp_path: Path) -> None:
    legacy = small()
    parent = weekly(legacy, FIRST, rule={"freq": "HOURLY"})
    date_of(legacy, parent, FIRST + timedelta(days=1))
    plan = await plan_of(legacy, tmp_path)
    assert names(plan.parts[0]) == ["2025-03-04T18:00:00", "2025-03-05T18:00:00"]
    assert plan.parts[0].timing.pattern.rule is None
    assert "UNSUPPORTED_FREQ" in plan.oddities[0].sentence


async def test_every_oddity_is_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    """A missing parent, a cycle, a duplicate date, a date outside the rule and overlapping splits are each reported
    once. Every event is kept.
    """
    legacy = small()
    split = {"recurrenceRule": {"freq": "WEEKLY"}, "isRecurring": True, "recurrenceSplitPoint": True}
    orphan = event(legacy, parentEventId=99, originalDate="2025-01-01 10:00:00")
    circle = event(legacy)
    legacy.tables["events"][circle - 1]["parentEventId"] = circle
    parent = weekly(legacy, FIRST)
    date_of(legacy, parent, FIRST + WEEK)
    twice = date_of(legacy, parent, FIRST + WEEK)
    off = date_of(legacy, parent, FIRST + WEEK + timedelta(days=2))
    shifted = date_of(legacy, parent, FIRST + 2 * WEEK + timedelta(hours=1))
    unnamed = date_of(legacy, parent, FIRST + 3 * WEEK)
    legacy.tables["events"][unnamed - 1]["originalDate"] = None
    nested = date_of(legacy, parent, FIRST + 4 * WEEK, parentEventId=off)
    first_split = date_of(legacy, parent, FIRST + 6 * WEEK, **split)
    date_of(legacy, parent, FIRST + 6 * WEEK, **split)
    event(legacy, startDate=None)
    event(legacy, userId=77)
    plan = await plan_of(legacy, tmp_path)
    found = {oddity.what: oddity.subject for oddity in plan.oddities}
    assert found[Oddity.ORPHAN] == f"event {orphan}"
    assert found[Oddity.CIRCLE] == f"event {circle}"
    assert found[Oddity.SAME_DATE_TWICE] == f"event {twice}"
    assert found[Oddity.NOT_BY_RULE] == f"event {off}"
    assert found[Oddity.SHIFTED] == f"event {shifted}"
    assert found[Oddity.NO_ORIGINAL_DATE] == f"event {unnamed}"
    assert found[Oddity.NESTED] == f"event {nested}"
    assert found[Oddity.SPLITS_OVERLAP] == f"event {first_split}"
    assert {Oddity.NO_START, Oddity.NO_HOST} <= found.keys()
    kept = Counter(one.old.id for one in (*plan.dates, *plan.singles))
    assert sorted(kept) == [row["id"] for row in legacy.tables["events"]][:-2]
    assert set(kept.values()) == {1}
    assert all("\x1b" not in line for line in lines_of(plan))


async def test_answers_are_sorted_out(tmp_path: Path) -> None:
    legacy = small()
    made = event(legacy, maxAttendees=1)
    legacy.answer(made, 1, "cancelled")
    legacy.answer(made, 1, "confirmed")
    legacy.answer(made, 2, "attended")
    legacy.answer(made, 55, "confirmed")
    legacy.answer(made, 3, "dancing")
    legacy.answer(404, 3, "confirmed")
    plan = await plan_of(legacy, tmp_path)
    assert [(one.old.user_id, one.status.value) for one in plan.singles[0].answers] == [
        (1, "attending"),
        (2, "attended"),
    ]
    assert oddities(plan) == {
        Oddity.ANSWERED_TWICE,
        Oddity.NO_PERSON,
        Oddity.UNKNOWN_STATUS,
        Oddity.OVER_CAPACITY,
        Oddity.NO_EVENT,
    }


@pytest.mark.parametrize(
    ("status", "visibility", "group", "expected"),
    [
        ("published", "public", None, Visibility.PUBLIC),
        ("published", "authenticated", None, Visibility.UNLISTED),
        ("published", "private", None, Visibility.PRIVATE),
        ("published", None, None, Visibility.UNLISTED),
        ("draft", "public", None, Visibility.PRIVATE),
        ("published", "public", "private", Visibility.PRIVATE),
        ("published", "public", "authenticated", Visibility.UNLISTED),
        ("published", "public", "gone", Visibility.PRIVATE),
    ],
)
async def test_visibility_is_not_widened(
    tmp_path: Path, status: str, visibility: str | None, group: str | None, expected: Visibility
) -> None:
    legacy = small()
    if group not in {None, "gone"}:
        legacy.add("groups", slug="g", name="G", description="", visibility=group, createdById=1)
    event(legacy, status=status, visibility=visibility, groupId=1 if group else None)
    (single,) = (await plan_of(legacy, tmp_path)).singles
    assert single.details.content.visibility is expected


async def test_texts_that_do_not_fit(tmp_path: Path) -> None:
    legacy = small()
    start = utc(FIRST, "UTC")
    event(legacy, name="  ", locationOnline="javascript:alert(1)", maxAttendees=-4, timeZone="Mars/Base")
    event(legacy, name="x" * 255, description="y" * 30_000, start=start, endDate="2020-01-01 00:00:00", timeZone=None)
    plan = await plan_of(legacy, tmp_path, "Europe/Berlin")
    bad, long = (one.details for one in plan.singles)
    assert (bad.content.title, bad.content.online_url, bad.content.capacity, bad.time_zone) == (
        "(untitled)",
        "",
        None,
        "Europe/Berlin",
    )
    assert bad.content.description.endswith("javascript:alert(1)")
    assert (len(long.content.title), len(long.content.description), long.ends_at) == (200, 20_000, None)
    assert oddities(plan) == {
        Oddity.NO_TITLE,
        Oddity.BAD_LINK,
        Oddity.BAD_CAPACITY,
        Oddity.UNKNOWN_ZONE,
        Oddity.CUT,
        Oddity.ENDS_BEFORE_START,
        Oddity.NO_ZONE,
    }


@pytest.mark.parametrize("seed", range(5))
async def test_counts_are_those_of_the_generator(tmp_path: Path, seed: int) -> None:
    """Every generated row is in the plan exactly once, by an independent count."""
    legacy = legacy_site(300, seed=seed)
    plan = await plan_of(legacy, tmp_path)
    counts = plan.counts()
    assert counts["series"] == legacy.series
    assert counts["splitSeries"] == legacy.splits
    assert counts["dates"] == len(legacy.tables["events"]) - legacy.singles
    assert counts["singleEvents"] == legacy.singles
    assert counts["answers"] == legacy.answers
    assert counts["followers"] == legacy.followers
    assert counts["modifiedDates"] >= legacy.exceptions
    assert oddities(plan) <= {Oddity.ENDED_BY_SPLIT}


def test_every_oddity_has_words() -> None:
    assert set(WORDS) == set(Oddity)


@pytest.mark.parametrize(
    "text",
    ["", "not json\n", '{"table": "events"}\n', '["events"]\n', '{"table": "users", "row": {"id": 1}}\n',
     '{"table": "users", "row": {"id": 1}}\n{"table": "events", "row": {"id": "x"}}\n'],
)  # fmt: skip
async def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "old.jsonl"
    file.write_text(text)
    with pytest.raises(InvalidInput):
        await read_old(PostgresDump(file))


async def test_unreadable_values_are_reported_with_their_row(tmp_path: Path) -> None:
    """A bad date, number or identifier counts as missing in its row only. A row without an id is left out."""
    legacy = small()
    good = event(legacy)
    never = event(legacy, startDate="never")
    endless = event(legacy, endDate="9999-12-31T23:59:59Z", maxAttendees="many", createdAt="0001-01-01")
    twisted = weekly(
        legacy, FIRST, recurrenceUntil="soon", recurrenceCount="²", recurrenceExceptions=["0001-01-01", "?"]
    )
    nobody = event(legacy, userId="Ana")
    for wrong in ("x", None, 3.5, "1e400", 2**70):
        event(legacy)
        legacy.tables["events"][-1]["id"] = wrong
    legacy.answer(good, 1, "confirmed")
    legacy.tables["eventAttendees"][-1]["createdAt"] = "yesterday"
    plan = await plan_of(legacy, tmp_path)
    said = {oddity.sentence for oddity in plan.oddities}
    unread = "has a value that cannot be read; the value is ignored"
    assert {
        f"event {never} {unread} (startdate isn’t a time: 'never').",
        f"event {never} has no start; it is skipped.",
        f"event {endless} {unread} (enddate isn’t between 1900 and 2200: '9999-12-31T23:59:59Z').",
        f"event {endless} {unread} (maxattendees is no whole number: 'many').",
        f"event {endless} {unread} (createdat isn’t between 1900 and 2200: '0001-01-01').",
        f"event {twisted} {unread} (recurrenceuntil isn’t a time: 'soon').",
        f"event {twisted} {unread} (recurrencecount is no whole number: '²').",
        f"event {twisted} excludes a date that is not in its rule; the exclusion is ignored (0001-01-01).",
        f"event {nobody} {unread} (userid is no whole number: 'Ana').",
        f"event {nobody} no longer has a host; it is skipped.",
        f"event row {nobody + 1} has no readable id; it is skipped (id: 'x').",
        f"event row {nobody + 2} has no readable id; it is skipped (it is empty).",
        f"answer 1 {unread} (createdat isn’t a time: 'yesterday').",
    } <= said
    assert sum(oddity.what is Oddity.NO_NUMBER for oddity in plan.oddities) == 5
    assert {one.old.id for one in (*plan.dates, *plan.singles)} == {good, endless, twisted}
    assert plan.counts()["answers"] == 1


async def test_a_line_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_LINE", 100)
    file = tmp_path / "old.jsonl"
    file.write_text(f'{{"table": "users", "row": {{"id": 1, "bio": "{"x" * 200}"}}}}\n')
    with pytest.raises(TooLarge):
        await read_old(PostgresDump(file))


def test_a_source_is_an_address_or_a_file(tmp_path: Path) -> None:
    """The name of a source contains no password."""
    assert source_of("postgresql://ana:secret@db.example:5432/old", "tenant_a").name == (
        "postgresql://db.example:5432/old#tenant_a"
    )
    with pytest.raises(InvalidInput):
        source_of(str(tmp_path / "missing.jsonl"))
