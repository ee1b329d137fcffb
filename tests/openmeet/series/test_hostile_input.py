"""Hostile and impossible input for series gives an error at the field, quickly, and changes nothing in part."""

import asyncio
from datetime import datetime

import pytest

from groundwork.clock import MINUTE
from groundwork.errors import InvalidForm
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool
from openmeet.domain.paging import packed
from openmeet.web.series.recurrence_form import CUSTOM, submitted_rule
from tests.openmeet.database_snapshot import all_rows
from tests.openmeet.series.api_client import WEEKLY_PRACTICE
from tests.openmeet.site_under_test import api_session, sign_up, site_on
from tests.timeouts import TIMEOUT_SECONDS

TIMING = {name: value for name, value in WEEKLY_PRACTICE.items() if name != "title"}
MANY = ",".join(str(number) for number in range(1, 367))


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock, api_requests_per_minute=0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"recurrence": "FREQ=SECONDLY"}, "recurrence"),
        ({"recurrence": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30,31"}, "recurrence"),
        ({"recurrence": "FREQ=YEARLY;BYMONTHDAY=29;BYMONTH=2;BYWEEKNO=40"}, "recurrence"),
        ({"recurrence": "FREQ=WEEKLY;INTERVAL=0"}, "recurrence"),
        ({"recurrence": f"FREQ=DAILY;INTERVAL={10**30}"}, "recurrence"),
        ({"recurrence": f"FREQ=DAILY;COUNT={10**30}"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY;INTERVAL=0000000011111111111"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY;COUNT=3;UNTIL=20270101T000000"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY\r\nATTENDEE:mailto:x@example.org"}, "recurrence"),
        ({"recurrence": "FREQ=YEARLY;BYYEARDAY=" + ",".join(["366"] * 20_000)}, "recurrence"),
        ({"recurrence": {"frequency": "weekly", "byDay": [{"day": "xx"}]}}, "recurrence"),
        ({"rdates": ["2026-07-07T18:00\r\nX:1"]}, "rdates"),
        (
            {
                "rdates": [
                    f"20{year}-07-08T{hour:02}:{minute:02}"
                    for year in range(27, 60)
                    for hour in range(24)
                    for minute in range(0, 60, 20)
                ]
            },
            "rdates",
        ),
        ({"timeZone": "Europe/Berlin\r\nX"}, "timeZone"),
        ({"timeZone": "../../etc/passwd"}, "timeZone"),
        ({"startsLocal": "0001-01-01T00:00"}, "startsLocal"),
        ({"startsLocal": "9999-12-31T23:59", "endsLocal": None}, "startsLocal"),
        ({"startsLocal": "2026-07-07T18:00+02:00"}, "startsLocal"),
        ({"endsLocal": "2026-07-07T17:00"}, "endsLocal"),
        ({"capacity": 10**12}, "capacity"),
        ({"capacity": -1}, "capacity"),
        ({"title": "x" * 100_000}, "title"),
        ({"description": "<script>" * 12_000}, "description"),
        ({"onlineUrl": "javascript:alert(1)"}, "onlineUrl"),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else value,
)
async def test_hostile_input_is_refused_at_its_field_and_leaves_nothing(site, changes, field):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        await client.get("/api/me", headers=ana)
        before = await all_rows(site.db, "sqlite")
        async with asyncio.timeout(TIMEOUT_SECONDS):
            answer = await client.post("/api/series", json=WEEKLY_PRACTICE | changes, headers=ana)
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["fields"], answer.text
    assert all(len(sentence) < 400 for sentence in answer.json()["fields"].values())
    assert await all_rows(site.db, "sqlite") == before


async def test_a_cursor_far_in_the_future_has_no_dates(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        made = (await client.post("/api/series", json=WEEKLY_PRACTICE, headers=ana)).json()
        answer = await client.get(f"/api/series/{made['slug']}/dates?cursor={packed('999999999999999999.0')}")
    assert (answer.status_code, answer.json()["dates"]) == (200, [])


@pytest.mark.parametrize("name", ["ends_after", "custom_every"])
@pytest.mark.parametrize("number", ["0000000019999", "000000001" + "1" * 5_000])
def test_numbers_of_a_recurrence_are_checked_as_a_whole(name, number):
    """Not only their first digits. Python reads no number of 5,000 digits."""
    form = {"repeats": CUSTOM, "custom_unit": "WEEKLY", "ends_how": "after", "ends_after": "3", name: number}
    with pytest.raises(InvalidForm) as refused:
        submitted_rule(form, datetime(2026, 7, 7, 18))  # noqa: DTZ001  # wall time is naive
    assert refused.value.problems.keys() == {name}


async def test_a_complicated_daily_rule_is_answered_quickly(site):
    """All lists are full. A naive expansion would take minutes."""
    rule = (
        f"FREQ=YEARLY;BYYEARDAY={MANY};BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR="
        + ",".join(map(str, range(24)))
        + ";BYSETPOS=-1"
    )
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        async with asyncio.timeout(TIMEOUT_SECONDS):
            answer = await client.post("/api/series/preview", json=TIMING | {"recurrence": rule}, headers=ana)
    assert answer.status_code == 200, answer.text


async def test_of_two_concurrent_splits_one_is_made(site):
    """Both hosts saw the undivided series. The second request sees the result of the first."""
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        made = await client.post("/api/series", json=WEEKLY_PRACTICE, headers=ana)
        path, tag = made.headers["location"], made.headers["etag"]
        dates = (await client.get(f"{path}/dates", headers=ana)).json()["dates"]
        wishes = [
            {"scope": "following", "originalDate": dates[at]["originalDate"], "title": title}
            for at, title in ((2, "Concert"), (4, "Picnic"))
        ]
        answers = await asyncio.gather(
            *(client.post(f"{path}/edit", json=one, headers=ana | {"if-match": tag}) for one in wishes)
        )
        assert sorted(one.status_code for one in answers) == [200, 412]
        async with site.db.reader() as reader:
            halves = await reader.fetch("select id from event_series where deleted_at is null order by id")
    assert len(halves) == 2


async def test_a_split_at_a_time_without_a_date_is_refused(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        path = (await client.post("/api/series", json=WEEKLY_PRACTICE, headers=ana)).headers["location"]
        before = await all_rows(site.db, "sqlite")
        for at in ("2026-07-08T18:00:00", "1999-07-06T18:00:00", "soon", "2026-07-14T18:00:00\r\nX"):
            wish = {"scope": "following", "originalDate": at, "title": "Concert"}
            answer = await client.post(f"{path}/edit", json=wish, headers=ana)
            assert answer.status_code in {400, 404, 422}, (at, answer.text)
        assert await all_rows(site.db, "sqlite") == before


async def test_one_client_cannot_request_explanations_of_rules_without_limit(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock, api_requests_per_minute=10)
    async with site.browser() as client:
        answers = [await client.post("/api/series/preview", json=TIMING) for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert (await client.get("/api/series/nothing")).status_code == 404, "the rest of the API still responds"
        clock.turn(MINUTE)
        assert (await client.post("/api/series/preview", json=TIMING)).status_code == 200


async def test_rules_are_computed_in_a_worker_process(make_sqlite, clock):
    """Some rules take a third of a second, and anybody can request them."""
    pool = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=TIMEOUT_SECONDS, wall_seconds=TIMEOUT_SECONDS)))
    site = site_on(await make_sqlite("openmeet"), clock, workers=pool)
    try:
        async with site.browser() as client:
            assert (await client.post("/api/series/preview", json=TIMING)).status_code == 200
        assert len(pool.pids) == 1
    finally:
        await pool.close()


FORM = {
    "title": "Practice",
    "starts": "2026-07-07T18:00",
    "ends": "2026-07-07T20:00",
    "time_zone": "Europe/Berlin",
    "repeats": "FREQ=WEEKLY;BYDAY=TU",
    "ends_how": "never",
}


async def test_rules_of_forms_are_computed_in_a_worker_process_too(make_sqlite, clock):
    """Worker processes compute the preview of a new event, the check when it is sent, and the form of a series. The
    work counts against the person who sends the request.
    """
    pool = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=TIMEOUT_SECONDS, wall_seconds=TIMEOUT_SECONDS)))
    site = site_on(await make_sqlite("openmeet"), clock, workers=pool)
    asked: list[str] = []
    run = pool.run

    async def counted(job, *, holders=(), limits=None):
        asked.append(holders[0].key)
        return await run(job, holders=holders, limits=limits)

    pool.run = counted  # type: ignore[method-assign]
    try:
        async with site.browser() as client:
            assert (await client.get("/events/new")).status_code == 200
            assert asked == [], "an empty form asks no question"
            await sign_up(client, "ana@example.org", "Ana")
            shown = await client.post("/events/new", data=FORM | {"preview": "yes"})
            assert "Tue 14 Jul" in shown.text
            made = await client.post("/events/new", data=FORM)
            assert made.status_code == 303, made.text
            edited = await client.get(made.headers["location"].partition("?")[0] + "/edit")
            assert edited.status_code == 200
        assert len(asked) == 3
        assert len(set(asked)) == 1
        assert asked[0].startswith("person:")
    finally:
        await pool.close()


async def test_a_form_with_a_slow_rule_is_shown_without_dates(make_sqlite, clock):
    """The typed text stays, and nothing is created."""
    pool = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=TIMEOUT_SECONDS, wall_seconds=0.001)))
    site = site_on(await make_sqlite("openmeet"), clock, workers=pool)
    try:
        async with site.browser() as client:
            await sign_up(client, "ana@example.org", "Ana")
            shown = await client.post("/events/new", data=FORM | {"preview": "yes"})
            assert (shown.status_code, "work out the dates just now" in shown.text) == (200, True)
            refused = await client.post("/events/new", data=FORM)
            assert (refused.status_code, "check these dates just now" in refused.text) == (400, True)
            assert ">Practice</textarea>" in refused.text
            async with site.db.reader() as reader:
                assert await reader.fetch("select id from event_series") == []
    finally:
        await pool.close()


async def test_rules_without_dates_or_with_rare_ones_are_explained(site):
    rule = "FREQ=DAILY;INTERVAL=1000;BYMONTHDAY=31;BYDAY=MO;BYMONTH=12"
    async with site.browser() as client:
        answer = await client.post("/api/series/preview", json=TIMING | {"recurrence": rule})
    assert (answer.status_code, answer.json()["title"]) == (400, "NEVER_OCCURS")
    assert "too rarely" in answer.json()["fields"]["recurrence"]
