"""Series as clients of the JSON API see them; on both engines."""

import asyncio

import pytest

from groundwork.clock import DAY
from groundwork.database.open_transactions import transaction_is_open
from openmeet.domain.series.model import PublishPolicy
from openmeet.recurrence import expansion
from tests.openmeet.series.api_client import (
    FIRST,
    PRACTICE,
    SECOND,
    THIRD,
    create_series,
    listed_dates,
    notification_count,
    post_to_series,
)


async def test_a_created_series_is_read_back(client, ana):
    made = await client.post("/api/series", json=PRACTICE, headers=ana)
    shown = made.json()
    assert made.status_code == 201
    assert shown["sentence"] == "Every Tuesday at 18:00"
    assert shown["structured"] == {"frequency": "weekly", "byDay": [{"day": "tu"}]}
    assert (shown["durationSeconds"], shown["publish"], shown["status"]) == (7200, "next", "active")
    read = await client.get(made.headers["location"])
    assert read.json() == shown | {"canEdit": False, "myDates": None}
    assert read.headers["etag"].startswith(made.headers["etag"][:-1] + "-")
    assert [one["slug"] for one in (await client.get("/api/series", headers=ana)).json()["series"]] == [shown["slug"]]


async def test_the_timing_of_a_series_can_be_sent_as_it_was_read(client, ana):
    """The members that say when a series meets have the same names in requests and responses."""
    made = await create_series(client, ana, rdates=["2026-03-20T18:00:00"], exdates=["2026-03-17T18:00:00"])
    names = ("title", "startsLocal", "timeZone", "recurrence", "rdates", "exdates")
    again = await client.post("/api/series", json={name: made[name] for name in names}, headers=ana)
    assert again.status_code == 201, again.text
    assert made["recurrence"] == made["rule"] == PRACTICE["recurrence"]
    starts = [[one["startsAt"] for one in await listed_dates(client, each)] for each in (made, again.json())]
    assert starts[0] == starts[1]
    await create_series(client, ana, recurrence=None, rdates=["2026-03-20T18:00:00"])
    (single, *_) = (await client.get("/api/series", headers=ana)).json()["series"]
    assert (single["recurrence"], single["rule"]) == (None, None)


async def test_no_transaction_waits_for_the_first_dates(client, ana, monkeypatch):
    computed_within: list[bool] = []
    compute = expansion.following

    def noted(pattern, after, count):
        computed_within.append(transaction_is_open())
        return compute(pattern, after, count)

    monkeypatch.setattr(expansion, "following", noted)
    many = {**PRACTICE, "recurrence": "FREQ=DAILY;BYHOUR=8,9,10,11,12;BYMINUTE=0,10,20,30,40,50"}
    for wanted in (PRACTICE, many):
        made = await client.post("/api/series", json=wanted, headers=ana)
        assert made.status_code == 201, made.text
    assert computed_within == [False, False]


async def test_a_rule_as_an_object_equals_the_same_rule_as_text(client, ana):
    structured = {"frequency": "monthly", "byDay": [{"day": "tu", "nthOfPeriod": 1}], "count": 4}
    made = await create_series(
        client, ana, recurrence=structured, rdates=["2026-03-20T18:00"], exdates=["2026-04-07T18:00"]
    )
    assert made["rule"] == "FREQ=MONTHLY;BYDAY=1TU;COUNT=4"
    assert [one["originalDate"] for one in await listed_dates(client, made)] == [
        FIRST,
        "2026-03-20T18:00:00",
        "2026-05-05T18:00:00",
        "2026-06-02T18:00:00",
    ]


@pytest.mark.parametrize(
    ("changes", "field", "name"),
    [
        ({"recurrence": "FREQ=HOURLY"}, "recurrence", "UNSUPPORTED_FREQ"),
        ({"recurrence": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "recurrence", "NEVER_OCCURS"),
        ({"recurrence": None}, "recurrence", "MISSING_FREQ"),
        ({"recurrence": {"frequency": "weekly", "until": "soon"}}, "recurrence", "BAD_UNTIL"),
        ({"rdates": ["tomorrow"]}, "rdates", "BAD_DATE"),
        ({"exdates": ["2026-13-01"]}, "exdates", "BAD_DATE"),
        ({"startsLocal": "2026-03-29T02:30", "endsLocal": None}, "startsLocal", "InvalidRequest"),
        ({"timeZone": "Mars/Base"}, "timeZone", "InvalidRequest"),
        ({"venue": {"country": "Atlantis"}}, "venue.country", "InvalidRequest"),
    ],
    ids=[
        "several times an hour",
        "a day that never is",
        "nothing repeats",
        "no end",
        "no added date",
        "no date left out",
        "a skipped hour",
        "no zone",
        "no country",
    ],
)
async def test_errors_are_named(client, ana, changes, field, name):
    answer = await client.post("/api/series", json=PRACTICE | changes, headers=ana)
    assert (answer.status_code, answer.json()["title"]) == (400, name)
    assert list(answer.json()["fields"]) == [field]


async def test_all_errors_are_named_at_once(client, ana):
    wrong = {"title": "", "capacity": -1, "recurrence": "FREQ=HOURLY", "exdates": ["soon"]}
    answer = await client.post("/api/series", json=PRACTICE | wrong, headers=ana)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, set(wrong))
    nowhere = PRACTICE | wrong | {"timeZone": "Mars/Base"}
    named = (await client.post("/api/series", json=nowhere, headers=ana)).json()["fields"]
    assert set(named) == {"title", "capacity", "recurrence", "timeZone"}


async def test_the_same_key_creates_one_series_and_another_body_is_refused(client, ana):
    headers = ana | {"idempotency-key": "k"}
    first, again, other = [
        await client.post("/api/series", json=PRACTICE | {"title": title}, headers=headers)
        for title in ("Practice", "Practice", "Chess")
    ]
    assert first.json()["slug"] == again.json()["slug"]
    assert (other.status_code, other.json()["title"]) == (422, "KeyReused")


async def test_a_preview_saves_nothing_and_names_missing_dates(client, ana):
    body = {"startsLocal": "2026-01-31T02:30", "timeZone": "Europe/Berlin", "recurrence": "FREQ=MONTHLY"}
    shown = (await client.post("/api/series/preview", json=body)).json()
    assert [one["originalDate"][:10] for one in shown["dates"]][:2] == ["2026-03-31", "2026-05-31"]
    assert shown["silentMonths"][:3] == ["2026-04", "2026-06", "2026-09"]
    daily = body | {"startsLocal": "2026-03-28T02:30", "recurrence": "FREQ=DAILY"}
    second = (await client.post("/api/series/preview", json=daily)).json()["dates"][1]
    assert (second["insteadOf"], second["startsLocal"]) == ("2026-03-29T02:30:00", "2026-03-29T03:30:00")
    assert (await client.get("/api/series", headers=ana)).json()["series"] == []


async def test_a_preview_suggests_a_start_that_fits(client):
    body = {
        "startsLocal": "2026-03-02T18:00",
        "timeZone": "Europe/Berlin",
        "recurrence": "FREQ=WEEKLY;BYDAY=TU;COUNT=3",
    }
    shown = (await client.post("/api/series/preview", json=body)).json()
    assert (shown["startFits"], shown["betterStart"]) == (False, FIRST)
    body |= {"recurrence": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"}
    shown = (await client.post("/api/series/preview", json=body)).json()
    assert (shown["startFits"], shown["betterStart"]) == (False, None), "the first one is in 2044"
    assert (shown["isEndless"], len(shown["dates"])) == (True, 4), "a century is searched"


async def test_stored_and_computed_dates_are_in_one_list(client, ana):
    made = await create_series(client, ana)
    found = await listed_dates(client, made, limit="20")
    assert [one["isStored"] for one in found] == [True] * 9 + [False] * 11
    assert found[5]["startsAt"] == "2026-04-07T16:00:00Z"  # 18:00 local time stays 18:00 when the clocks change
    window = await listed_dates(client, made, **{"from": "2027-03-01T00:00", "to": "2027-03-10T00:00"})
    assert [one["originalDate"] for one in window] == ["2027-03-02T18:00:00", "2027-03-09T18:00:00"]


async def test_pages_of_dates_follow_one_another(client, ana):
    made = await create_series(client, ana)
    path = f"/api/series/{made['slug']}/dates"
    first = (await client.get(path, params={"limit": "4"})).json()
    second = (await client.get(path, params={"limit": "4", "from": first["next"]})).json()
    both = [one["originalDate"] for one in (*first["dates"], *second["dates"])]
    assert both == [one["originalDate"] for one in await listed_dates(client, made, limit="8")]


async def test_a_cursor_continues_among_dates_with_the_same_start(client, ana):
    """With ``next`` alone, which is an instant, a client would get the first of these dates again and again."""
    made = await create_series(client, ana, recurrence="FREQ=WEEKLY;COUNT=4")
    path = f"/api/series/{made['slug']}/dates"
    for name in (SECOND, THIRD):
        moved = {"scope": "this", "originalDate": name, "startsLocal": FIRST[:16], "endsLocal": None}
        assert (await post_to_series(client, ana, made, "edit", moved)).status_code == 200
    whole = await listed_dates(client, made)
    assert len({one["startsAt"] for one in whole}) == 2
    read, cursor = [], ""
    while cursor is not None:
        page = (await client.get(path, params={"limit": "1", "cursor": cursor, "from": "2026-01-01"})).json()
        read, cursor = read + page["dates"], page["cursor"]
        assert len(read) <= 4
        assert (page["next"] is None) is (cursor is None)
    assert read == whole


async def test_a_far_date_is_stored_once_however_many_open_it(client, ana):
    made = await create_series(client, ana)
    path = f"/api/series/{made['slug']}/dates/2027-03-02T18:00"
    slugs = {answer.json()["slug"] for answer in await asyncio.gather(*(client.post(path) for _ in range(5)))}
    assert len(slugs) == 1
    assert (await client.get(f"/api/events/{slugs.pop()}")).json()["startsAt"] == "2027-03-02T17:00:00Z"


async def test_urls_of_dates_work_after_a_split_a_move_and_a_deletion(client, ana):
    made = await create_series(client, ana)
    path = f"/api/series/{made['slug']}/dates"
    before = (await client.post(f"{path}/2026-04-07T18:00:00")).json()
    body = {"scope": "following", "originalDate": "2026-03-24T18:00:00", "title": "Rehearsal"}
    new = (await post_to_series(client, ana, made, "edit", body)).json()["series"]
    for name in ("2026-04-07T18:00:00", "2027-03-02T18:00:00"):
        assert (await client.post(f"{path}/{name}")).json()["title"] == "Rehearsal"
    await post_to_series(client, ana, new, "edit", {"scope": "all", "recurrence": "FREQ=WEEKLY;BYDAY=WE"})
    assert (await client.post(f"{path}/2026-04-07T18:00:00")).json()["slug"] == before["slug"]
    far = (await client.post(f"{path}/2027-03-09T18:00:00")).json()
    assert (far["originalDate"], far["title"]) == ("2027-03-10T18:00:00", "Rehearsal")
    away = await client.delete(f"/api/series/{new['slug']}", params={"keepEvents": "true"}, headers=ana)
    assert away.status_code == 204
    assert (await client.post(f"{path}/2026-04-07T18:00:00")).json()["slug"] == before["slug"]


@pytest.mark.parametrize("date", ["2027-03-03T18:00:00", "2126-03-05T18:00:00", "never"])
async def test_a_time_that_is_not_a_date_cannot_be_opened(client, ana, date):
    made = await create_series(client, ana)
    assert (await client.post(f"/api/series/{made['slug']}/dates/{date}")).status_code == 404


async def test_a_date_too_far_ahead_says_when_it_gets_a_page(client, ana):
    """The problem names the limit and the day from which the page exists. For a text that is not a date the response is
    404 without further details.
    """
    made = await create_series(client, ana)
    refused = await client.post(f"/api/series/{made['slug']}/dates/2031-06-03T18:00:00")
    assert (refused.status_code, refused.json()["title"]) == (404, "TooFarAhead")
    assert "on Saturday 30 May 2026" in refused.json()["detail"]
    assert "at most 5 years ahead" in refused.json()["detail"]
    absent = await client.post(f"/api/series/{made['slug']}/dates/2031-06-04T18:00:00")
    assert (absent.status_code, absent.json()["title"]) == (404, "NotFound")


async def test_dates_of_an_inactive_series_cannot_be_opened(client, ana):
    made = await create_series(client, ana)
    assert (await post_to_series(client, ana, made, "pause", {"reason": "summer"})).json()["status"] == "paused"
    assert len(await listed_dates(client, made, limit="20")) == 9
    assert (await client.post(f"/api/series/{made['slug']}/dates/2027-03-02T18:00")).status_code == 404
    assert (await post_to_series(client, ana, made, "resume")).json()["status"] == "active"
    assert (await client.post(f"/api/series/{made['slug']}/dates/2027-03-02T18:00")).status_code == 200


async def test_a_private_series_is_hidden_from_others_until_they_answer(client, ana, ben):
    made = await create_series(client, ana, visibility="private")
    path = f"/api/series/{made['slug']}"
    refused = [
        await client.get(path, headers=ben),
        await client.get(f"{path}/dates", headers=ben),
        await client.post(f"{path}/dates/{FIRST}", headers=ben),
        await client.put(f"{path}/follow", json={}, headers=ben),
        await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben),
    ]
    assert {answer.status_code for answer in refused} == {404}
    assert (await client.get(path, headers=ana)).status_code == 200


async def test_a_plan_describes_the_edit_and_saves_nothing(client, ana, ben):
    made = await create_series(client, ana)
    third = (await listed_dates(client, made))[2]
    await client.put(f"/api/events/{third['slug']}/answer", json={"reply": "going"}, headers=ben)
    body = {"scope": "following", "originalDate": SECOND, "title": "Rehearsal", "startsLocal": "2026-03-10T19:00"}
    planned = await post_to_series(client, ana, made, "plan", body)
    shown = planned.json()
    assert (shown["datesChanged"], shown["answersKept"], shown["peopleTold"]) == (8, 1, 1)
    assert (shown["sentenceBefore"], shown["sentenceAfter"]) == ("Every Tuesday at 18:00", "Every Tuesday at 19:00")
    assert shown["changes"][0]["fields"] == ["starts", "title"]
    assert {one["title"] for one in await listed_dates(client, made)} == {"Practice"}
    done = await post_to_series(client, ana, made, "edit", body, **{"if-match": planned.headers["etag"]})
    assert done.json()["consequences"] == shown
    behind = done.json()["series"]
    assert (behind["continues"], behind["title"]) == (made["slug"], "Rehearsal")
    assert [one["title"] for one in await listed_dates(client, made)] == ["Practice"]
    found = await listed_dates(client, behind)
    assert found[0]["startsLocal"] == "2026-03-10T19:00:00"
    assert found[1]["slug"] == third["slug"]
    assert found[1]["going"] == 1
    assert (await client.get(f"/api/series/{made['slug']}")).json()["continuedBy"] == [behind["slug"]]


async def test_an_edit_of_one_date_changes_no_others(client, ana):
    made = await create_series(client, ana)
    body = {"scope": "this", "originalDate": "2027-03-02T18:00", "capacity": 12, "venue": {"name": "The barn"}}
    done = await post_to_series(client, ana, made, "edit", body)
    assert done.status_code == 200, done.text
    (found,) = await listed_dates(client, made, **{"from": "2027-03-02T00:00", "to": "2027-03-03T00:00"})
    assert (found["differsIn"], found["capacity"]) == (["capacity", "venue"], 12)


async def test_an_edit_of_all_with_another_rule_lists_stranded_dates(client, ana, ben):
    made = await create_series(client, ana)
    second = (await listed_dates(client, made))[1]
    await client.put(f"/api/events/{second['slug']}/answer", json={"reply": "going"}, headers=ben)
    body = {"scope": "all", "recurrence": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"}
    shown = (await post_to_series(client, ana, made, "plan", body)).json()
    assert [one["originalDate"] for one in shown["stranded"]] == [SECOND]
    assert len(shown["vanishing"]) == 3
    await post_to_series(client, ana, made, "edit", body)
    assert [one["originalDate"] for one in await listed_dates(client, made, limit="3")] == [FIRST, SECOND, THIRD]


async def test_another_rule_begins_on_one_of_its_days(client, ana):
    made = await create_series(client, ana)
    await post_to_series(client, ana, made, "edit", {"scope": "all", "recurrence": "FREQ=WEEKLY;BYDAY=WE"})
    assert [one["originalDate"] for one in await listed_dates(client, made, limit="2")] == [
        "2026-03-04T18:00:00",
        "2026-03-11T18:00:00",
    ]


async def test_an_edit_of_an_outdated_version_is_refused(client, ana):
    made = await create_series(client, ana)
    stale = {"if-match": f'"{made["revision"]}"'}
    assert (
        await post_to_series(client, ana, made, "edit", {"scope": "all", "title": "Other"}, **stale)
    ).status_code == 200
    refused = await post_to_series(client, ana, made, "edit", {"scope": "all", "title": "Third"}, **stale)
    assert refused.status_code == 412
    one = {"scope": "this", "originalDate": FIRST, "title": "Third", "expectedDateRevision": 1}
    assert (await post_to_series(client, ana, made, "edit", one)).status_code == 412


@pytest.mark.parametrize("verb", ["plan", "edit"])
async def test_only_the_host_edits(client, ana, ben, verb):
    made = await create_series(client, ana)
    assert (await post_to_series(client, ben, made, verb, {"scope": "all", "title": "Mine"})).status_code == 403


@pytest.mark.parametrize("date", ["0001-01-01T00:00", "9999-12-31T23:59"])
async def test_no_date_at_the_end_of_time_is_edited(client, ana, date):
    made = await create_series(client, ana, timeZone="America/New_York")
    body = {"scope": "following", "originalDate": date, "startsLocal": "2027-01-05T19:00"}
    assert (await post_to_series(client, ana, made, "plan", body)).status_code == 404


async def test_one_date_a_range_and_all_are_cancelled_and_reinstated(client, ana):
    made = await create_series(client, ana)

    async def cancelled() -> list[str]:
        return [one["originalDate"] for one in await listed_dates(client, made) if one["status"] == "cancelled"]

    await post_to_series(client, ana, made, "cancel", {"dates": [FIRST], "reason": "ill"})
    assert await cancelled() == [FIRST]
    ranged = await post_to_series(client, ana, made, "cancel", {"fromDate": FIRST, "toDate": THIRD})
    assert ranged.json()["datesChanged"] == 2, "the first date is already cancelled"
    assert await cancelled() == [FIRST, SECOND, THIRD]
    await post_to_series(client, ana, made, "reinstate", {"fromDate": FIRST, "toDate": SECOND})
    assert await cancelled() == [THIRD]
    stopped = await post_to_series(client, ana, made, "cancel", {"reason": "no trainer"})
    assert (stopped.json()["series"]["status"], len(await cancelled())) == ("cancelled", 9)
    back = await post_to_series(client, ana, made, "reinstate", {})
    assert (back.json()["series"]["status"], await cancelled()) == ("active", [THIRD]), "cancelled individually before"


async def test_a_removed_date_stays_away(client, ana):
    made = await create_series(client, ana)
    await post_to_series(client, ana, made, "remove-dates", {"dates": [SECOND]})
    assert [one["originalDate"] for one in await listed_dates(client, made, limit="2")] == [FIRST, THIRD]


@pytest.mark.parametrize(("wish", "status"), [("true", 200), ("false", 410)])
async def test_deleting_says_what_happens_to_the_dates(client, ana, wish, status):
    made = await create_series(client, ana)
    first = (await listed_dates(client, made))[0]
    path = f"/api/series/{made['slug']}"
    assert (await client.delete(path, headers=ana)).status_code == 400
    assert (await client.delete(path, params={"keepEvents": wish}, headers=ana)).status_code == 204
    assert (await client.get(path)).status_code == 410
    assert (await client.get(f"/events/{first['slug']}")).status_code == status


async def test_follow_and_unfollow(client, ana, ben):
    made = await create_series(client, ana)
    path = f"/api/series/{made['slug']}"
    for notifies in (True, False):
        shown = await client.put(f"{path}/follow", json={"notifies": notifies}, headers=ben)
        assert shown.json() == {"isFollowing": True, "notifies": notifies}
    assert (await client.get(path, headers=ben)).json()["isFollowing"] is True
    assert (await client.delete(f"{path}/follow", headers=ben)).status_code == 204
    assert (await client.get(path, headers=ben)).json()["isFollowing"] is False


async def test_one_answer_to_all_dates_reports_the_result_for_each(client, ana, ben):
    made = await create_series(client, ana)
    for_one = {"scope": "this", "originalDate": SECOND, "capacity": 1}
    await post_to_series(client, ana, made, "edit", for_one)
    await post_to_series(client, ana, made, "cancel", {"dates": [THIRD]})
    second = (await listed_dates(client, made))[1]
    await client.put(f"/api/events/{second['slug']}/answer", json={"reply": "going"}, headers=ana)
    path = f"/api/series/{made['slug']}/answer"
    skipped = (await client.put(path, json={"reply": "interested", "skipLimited": True}, headers=ben)).json()["dates"]
    assert SECOND not in {one["originalDate"] for one in skipped}
    found = (await client.put(path, json={"reply": "going"}, headers=ben)).json()["dates"]
    assert [(one["status"], one["refused"]) for one in found[:4]] == [
        ("attending", None),
        ("waitlisted", None),
        (None, "EventCancelled"),
        ("attending", None),
    ]
    assert [one["myStatus"] for one in await listed_dates(client, made, ben, limit="2")] == ["attending", "waitlisted"]


EVENT = {
    "title": "Board games",
    "startsLocal": "2026-03-05T18:00",
    "endsLocal": "2026-03-05T20:00",
    "timeZone": "Europe/Berlin",
}


async def test_an_event_becomes_the_first_date_of_a_series(client, ana, ben):
    event = (await client.post("/api/events", json=EVENT, headers=ana)).json()
    await client.put(f"/api/events/{event['slug']}/answer", json={"reply": "going"}, headers=ben)
    path = f"/api/events/{event['slug']}/series"
    body = {"recurrence": "FREQ=WEEKLY;COUNT=3"}
    assert (await client.post(path, json=body, headers=ben)).status_code == 403
    made = await client.post(path, json=body, headers=ana)
    found = await listed_dates(client, made.json())
    assert [one["originalDate"][:10] for one in found] == ["2026-03-05", "2026-03-12", "2026-03-19"]
    assert (found[0]["slug"], found[0]["going"], found[0]["differsIn"]) == (event["slug"], 1, [])
    again = await client.post(path, json=body, headers=ana)
    assert (again.status_code, again.json()["title"]) == (422, "InSeries")


async def test_an_event_becomes_one_more_date(client, ana):
    made = await create_series(client, ana)
    event = (await client.post("/api/events", json=EVENT, headers=ana)).json()
    await post_to_series(client, ana, made, "events", {"event": event["slug"]})
    found = await listed_dates(client, made, limit="2")
    assert (found[1]["slug"], found[1]["title"]) == (event["slug"], "Board games")
    assert found[1]["differsIn"] == ["title"]
    other = (
        await client.post(
            "/api/events", json=EVENT | {"startsLocal": "2026-03-10T18:00", "endsLocal": None}, headers=ana
        )
    ).json()
    taken = await post_to_series(client, ana, made, "events", {"event": other["slug"]})
    assert (taken.status_code, taken.json()["title"]) == (422, "DateTaken")


async def test_past_dates_are_listed_on_request(client, ana, site):
    made = await create_series(client, ana, publish=PublishPolicy.NONE.value)
    site.clock.turn(10 * DAY)
    assert (await listed_dates(client, made, limit="1"))[0]["originalDate"] == THIRD
    found = await listed_dates(client, made, **{"from": "2026-03-01T00:00", "limit": "2"})
    assert [(one["originalDate"], one["isOver"]) for one in found] == [(FIRST, True), (SECOND, True)]


@pytest.mark.parametrize("verb", ["reinstate", "resume"])
@pytest.mark.parametrize(("stop", "notified"), [("cancel", 1), ("pause", 0)])
async def test_a_series_resumed_silently_notifies_only_of_cancelled_dates(client, ana, ben, stop, notified, verb):
    """Attendees learn that their date is cancelled, and that it takes place after all. Otherwise nobody is notified."""
    made = await create_series(client, ana)
    opened = await client.post(f"/api/series/{made['slug']}/dates/{FIRST}", headers=ana)
    await client.put(f"/api/events/{opened.json()['slug']}/answer", json={"reply": "going"}, headers=ben)
    await client.put(f"/api/series/{made['slug']}/follow", json={}, headers=ben)
    await post_to_series(client, ana, made, stop, {"isSilent": True})
    before = await notification_count(client, ben)
    back = await post_to_series(client, ana, made, verb, {"isSilent": True})
    assert back.status_code == 200, back.text
    assert await notification_count(client, ben) == before + notified
    await post_to_series(client, ana, made, "undo")
    assert await notification_count(client, ben) == before + 2 * notified, "the undo is announced likewise"
    await post_to_series(client, ana, made, verb, {})
    assert await notification_count(client, ben) == before + 2 * notified + 1
