"""Edits of a series through the JSON API: the rule, single dates and whole days."""

import httpx
import pytest

from tests.openmeet.series.api_client import FIRST, SECOND, THIRD, create_series, listed_dates, post_to_series

EXTRA, LATER_EXTRA = "2026-03-05T18:00:00", "2026-03-26T18:00:00"


async def edited(client: httpx.AsyncClient, who: dict[str, str], series: dict, **changes: object) -> dict:
    answer = await post_to_series(client, who, series, "edit", changes)
    assert answer.status_code == 200, answer.text
    return answer.json()["series"]


async def starts_of(client: httpx.AsyncClient, series: dict) -> list[str]:
    return [
        one["startsLocal"] for one in await listed_dates(client, series, **{"from": "2026-03-01T00:00", "limit": "60"})
    ]


async def test_the_later_part_does_not_repeat_earlier_extra_dates(client, ana):
    """A program that adds a date sends all extra dates that it has read. Those before the split stay where they are."""
    before = await create_series(client, ana, rdates=[EXTRA, LATER_EXTRA], recurrence="FREQ=WEEKLY;BYDAY=TU;COUNT=5")
    added = [*before["rdates"], "2026-04-02T18:00"]
    after = await edited(client, ana, before, scope="following", originalDate=THIRD, rdates=added)
    assert await starts_of(client, before) == [FIRST, EXTRA, SECOND]
    later = [THIRD, "2026-03-24T18:00:00", LATER_EXTRA, "2026-03-31T18:00:00", "2026-04-02T18:00:00"]
    assert await starts_of(client, after) == later


@pytest.mark.parametrize("repeats_rule", [False, True])
async def test_new_exclusions_do_not_start_the_count_again(client, ana, repeats_rule):
    """The rest of a series of five dates has three dates, whether the unchanged rule is sent or not."""
    rule = "FREQ=WEEKLY;BYDAY=TU;COUNT=5"
    series = await create_series(client, ana, recurrence=rule)
    changes = {"exdates": ["2026-03-24T18:00"]} | ({"recurrence": rule} if repeats_rule else {})
    after = await edited(client, ana, series, scope="following", originalDate=THIRD, **changes)
    assert await starts_of(client, after) == [THIRD, "2026-03-31T18:00:00"]


async def test_a_moved_day_and_an_exclusion_apply_together(client, ana):
    """The weekday moves with the dates, although single dates were sent, too."""
    series = await create_series(client, ana, recurrence="FREQ=WEEKLY;BYDAY=TU;COUNT=3")
    moved = {"startsLocal": "2026-03-04T18:00", "exdates": ["2026-03-11T18:00"]}
    after = await edited(client, ana, series, scope="all", originalDate=FIRST, **moved)
    assert (after["rule"], await starts_of(client, after)) == (
        "FREQ=WEEKLY;BYDAY=WE;COUNT=3",
        ["2026-03-04T18:00:00", "2026-03-18T18:00:00"],
    )


async def test_dates_become_whole_days_and_get_times_again(client, ana):
    series = await create_series(client, ana, recurrence="FREQ=WEEKLY;BYDAY=TU;COUNT=3")
    days = {"isAllDay": True, "startsLocal": "2026-03-03", "endsLocal": "2026-03-04"}
    after = await edited(client, ana, series, scope="all", originalDate=FIRST, **days)
    assert after["isAllDay"]
    assert await starts_of(client, after) == [f"2026-03-{day}T00:00:00" for day in ("03", "10", "17")]
    times = {"isAllDay": False, "startsLocal": "2026-03-03T18:00", "endsLocal": "2026-03-03T20:00"}
    again = await edited(client, ana, after, scope="all", originalDate="2026-03-03T00:00:00", **times)
    assert not again["isAllDay"]
    assert await starts_of(client, again) == [FIRST, SECOND, THIRD]


async def test_one_date_becomes_a_whole_day(client, ana):
    series = await create_series(client, ana)
    await edited(client, ana, series, scope="this", originalDate=SECOND, isAllDay=True)
    events = [await client.get(f"/api/events/{one['slug']}") for one in (await listed_dates(client, series))[:3]]
    assert [one.json()["isAllDay"] for one in events] == [False, True, False]
