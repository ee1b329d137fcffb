"""Dates are cancelled, reinstated, moved, added and removed by the JSON API; on both engines. Plans are compared with
the outcome.
"""

import pytest

from groundwork.clock import DAY
from tests.openmeet.series.api_client import (
    FIRST,
    SECOND,
    THIRD,
    create_series,
    listed_dates,
    notification_count,
    post_to_series,
    stored_at,
)
from tests.openmeet.site_under_test import api_session


async def test_a_range_of_days_includes_its_last_day(client, ana):
    """If ``toDate`` is a day, the whole day is included, as people expect of "until the 17th"."""
    made = await create_series(client, ana)
    for first in (FIRST, FIRST[:10]):
        done = await post_to_series(
            client, ana, made, "cancel", {"fromDate": first, "toDate": THIRD[:10], "reason": "closed"}
        )
        assert done.json()["datesChanged"] == 3, done.text
        back = await post_to_series(client, ana, made, "reinstate", {"fromDate": first, "toDate": THIRD[:10]})
        assert back.json()["datesChanged"] == 3


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        ({"fromDate": THIRD, "toDate": FIRST}, "toDate", "The last date comes before the first."),
        ({"fromDate": THIRD[:10], "toDate": FIRST[:10]}, "toDate", "The last date comes before the first."),
        ({"fromDate": FIRST}, "toDate", "Choose the first and the last date of the range."),
        ({"toDate": FIRST}, "fromDate", "Choose the first and the last date of the range."),
        (
            {"fromDate": "2026-03-04", "toDate": "2026-03-09"},
            "fromDate",
            "The series has no dates in this range.",
        ),
        (
            {"fromDate": "2026-03-03", "toDate": "2046-03-03"},
            "toDate",
            "There are more than 500 dates in between. Do it in several steps.",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["cancel", "reinstate"])
async def test_errors_in_a_range_are_explained(client, ana, verb, body, field, why):
    made = await create_series(client, ana)
    refused = await post_to_series(client, ana, made, verb, body)
    assert refused.status_code == 400
    assert refused.json()["fields"] == {field: why}


async def test_cancelled_dates_are_not_cancelled_again(client, ana, ben):
    """A second cancellation neither counts nor e-mails about dates that are already cancelled, and keeps the published
    reason.
    """
    made = await create_series(client, ana)
    first = (await listed_dates(client, made))[0]
    await client.put(f"/api/events/{first['slug']}/answer", json={"reply": "going"}, headers=ben)
    await post_to_series(client, ana, made, "cancel", {"dates": [FIRST], "reason": "The trainer is ill."})

    async def heard() -> int:
        return len((await client.get("/api/notifications", headers=ben)).json()["items"])

    async def reason() -> str:
        return (await listed_dates(client, made))[0]["statusReason"]

    before = await heard()
    undo = (await client.get(f"/api/series/{made['slug']}", headers=ana)).json()["canUndo"]
    for body in ({"dates": [FIRST]}, {"dates": [FIRST, FIRST], "reason": ""}, {"fromDate": FIRST, "toDate": FIRST}):
        again = await post_to_series(client, ana, made, "cancel", body)
        assert again.json()["datesChanged"] == 0
    assert again.json()["series"]["canUndo"] == undo, "there is no action to undo"
    assert (await heard(), await reason()) == (before, "The trainer is ill.")
    ranged = await post_to_series(
        client, ana, made, "cancel", {"fromDate": FIRST, "toDate": SECOND, "reason": "The hall is closed."}
    )
    assert ranged.json()["datesChanged"] == 1
    assert (await heard(), await reason()) == (before, "The trainer is ill.")
    other = await post_to_series(client, ana, made, "cancel", {"dates": [FIRST], "reason": "The trainer has left."})
    assert other.json()["datesChanged"] == 1
    assert await reason() == "The trainer has left."
    event = f"/api/events/{first['slug']}"
    assert (await client.post(f"{event}/cancel", json={}, headers=ana)).json()[
        "statusReason"
    ] == "The trainer has left."


async def test_a_cancelled_series_is_not_cancelled_again(client, ana):
    made = await create_series(client, ana)
    await post_to_series(client, ana, made, "cancel", {"reason": "The hall is sold."})
    again = (await post_to_series(client, ana, made, "cancel", {})).json()
    assert (again["datesChanged"], again["series"]["statusReason"]) == (0, "The hall is sold.")
    other = (await post_to_series(client, ana, made, "cancel", {"reason": "No trainer."})).json()
    assert (other["datesChanged"], other["series"]["statusReason"]) == (9, "No trainer.")
    assert {one["statusReason"] for one in await listed_dates(client, made)} == {"No trainer."}
    paused = await post_to_series(client, ana, made, "pause", {"reason": "Summer."})
    assert (paused.status_code, paused.json()["title"]) == (422, "SeriesCancelled")
    back = (await post_to_series(client, ana, made, "reinstate", {})).json()
    assert (back["datesChanged"], back["series"]["status"]) == (9, "active")


async def test_a_paused_series_is_not_paused_again(client, ana, ben):
    made = await create_series(client, ana)
    await client.put(f"/api/series/{made['slug']}/follow", json={}, headers=ben)
    once = (await post_to_series(client, ana, made, "pause", {"reason": "Summer."})).json()
    again = (await post_to_series(client, ana, made, "pause", {})).json()
    assert (again["statusReason"], again["revision"]) == ("Summer.", once["revision"])
    resumed = (await post_to_series(client, ana, made, "resume")).json()
    assert (await post_to_series(client, ana, made, "resume")).json()["revision"] == resumed["revision"]


async def test_reinstating_stores_no_date_that_takes_place_anyway(client, ana):
    made = await create_series(client, ana)
    far = "2027-03-02T18:00:00"
    assert (await post_to_series(client, ana, made, "reinstate", {"dates": [far]})).json()["datesChanged"] == 0
    (found,) = await listed_dates(client, made, **{"from": far[:10], "limit": "1"})
    assert (found["originalDate"], found["isStored"]) == (far, False)
    assert (await post_to_series(client, ana, made, "reinstate", {"dates": ["2027-03-03T18:00:00"]})).status_code == 404


async def test_moving_a_date_into_the_past_or_far_away_needs_confirmation(client, ana, site):
    """A wrong year needs a confirmation. A date cannot be moved to a time for which it has no page."""
    made = await create_series(client, ana)
    for scope in ("this", "following", "all"):
        slip = {"scope": scope, "originalDate": SECOND, "startsLocal": "2025-03-10T19:00"}
        for verb in ("plan", "edit"):
            refused = await post_to_series(client, ana, made, verb, slip)
            assert (refused.status_code, refused.json()["fields"]) == (
                400,
                {"startsLocal": "This start is in the past. If that’s right, send allowPast: true."},
            ), (scope, refused.text)
            far = await post_to_series(client, ana, made, verb, slip | {"startsLocal": "2150-03-10T19:00"})
            assert (far.status_code, far.json()["title"]) == (400, "TooFarAhead")
    meant = {"scope": "this", "originalDate": SECOND, "startsLocal": "2026-02-27T19:00", "allowPast": True}
    assert (await post_to_series(client, ana, made, "edit", meant)).status_code == 200
    site.clock.turn(5 * DAY)
    # The first date is in the past by now. Changing the hour of all dates through it moves nothing into the past.
    hour = {"scope": "all", "originalDate": FIRST, "startsLocal": "2026-03-03T19:00"}
    assert (await post_to_series(client, ana, made, "edit", hour)).status_code == 200


async def test_another_rule_restores_no_cancelled_week(client, ana):
    """A date that was excluded or deleted individually stays excluded, under another rule, at another hour, and after a
    split.
    """
    for change in (
        {"scope": "all", "recurrence": "FREQ=WEEKLY;BYDAY=WE"},
        {"scope": "all", "originalDate": FIRST, "startsLocal": "2026-03-03T19:00"},
        {"scope": "following", "originalDate": SECOND, "recurrence": "FREQ=WEEKLY;BYDAY=TH"},
        {"scope": "following", "originalDate": SECOND, "title": "Rehearsal"},
    ):
        made = await create_series(client, ana)
        stored = await listed_dates(client, made)
        await post_to_series(client, ana, made, "remove-dates", {"dates": [THIRD]})
        assert (await client.delete(f"/api/events/{stored[4]['slug']}", headers=ana)).status_code == 204
        assert stored[4]["originalDate"] == "2026-03-31T18:00:00"
        done = await post_to_series(client, ana, made, "edit", change)
        assert done.status_code == 200, done.text
        weeks = {
            one["originalDate"][:10]
            for series in (made, done.json()["series"])
            for one in await listed_dates(client, series, **{"from": "2026-03-01T00:00", "limit": "9"})
        }
        off = {f"2026-03-{day}" for day in (17, 18, 19, 31)} | {"2026-04-01", "2026-04-02"}
        assert not weeks & off, change
        assert len(weeks) >= 7


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "all", "recurrence": "FREQ=WEEKLY;BYDAY=TU,TH"},
        {"scope": "all", "recurrence": "FREQ=DAILY;COUNT=30"},
        {"scope": "all", "recurrence": "FREQ=WEEKLY;BYDAY=WE"},
        {"scope": "all", "recurrence": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"},
        {"scope": "all", "recurrence": "FREQ=MONTHLY;BYDAY=1TU"},
        {"scope": "all", "rdates": ["2026-03-05T18:00"]},
        {"scope": "all", "title": "Rehearsal"},
        {"scope": "following", "originalDate": THIRD, "recurrence": "FREQ=WEEKLY;BYDAY=TU,TH"},
        {"scope": "following", "originalDate": THIRD, "startsLocal": "2026-03-19T20:00"},
        {"scope": "this", "originalDate": THIRD, "startsLocal": "2026-03-19T20:00"},
    ],
    ids=str,
)
async def test_a_plan_counts_what_happens(client, ana, ben, site, change):
    """The numbers of changed, deleted, left-over and new dates and of notified people equal those in the plan."""
    made = await create_series(client, ana)
    stored = await listed_dates(client, made)
    await client.put(f"/api/events/{stored[3]['slug']}/answer", json={"reply": "going"}, headers=ben)
    await client.delete(f"/api/events/{stored[5]['slug']}", headers=ana)
    await post_to_series(
        client, ana, made, "edit", {"scope": "this", "originalDate": SECOND, "title": "Own", "isSilent": True}
    )
    follower = await api_session(client, "cleo@example.org", "Cleo")
    await client.put(f"/api/series/{made['slug']}/follow", json={}, headers=follower)
    before = await stored_at(client, [made])
    heard = [await notification_count(client, one) for one in (ben, follower)]
    plan = (await post_to_series(client, ana, made, "plan", change)).json()
    assert await stored_at(client, [made]) == before
    done = (await post_to_series(client, ana, made, "edit", change)).json()
    assert done["consequences"] == plan
    after = await stored_at(client, [made] if done["series"]["slug"] == made["slug"] else [made, done["series"]])
    changed = {one["slug"]: one for one in plan["changes"]}
    gone = {one["slug"] for one in plan["vanishing"]}
    new = {slug: starts for slug, starts in after.items() if slug not in before}
    assert sorted(new.values()) == sorted(one["startsAt"] for one in plan["made"])
    assert before.keys() - after.keys() == gone
    for slug, starts in before.items():
        if slug not in gone:
            assert after[slug] == (changed[slug]["newStartsAt"] if slug in changed else starts), slug
    assert plan["peopleTold"] == sum(
        [await notification_count(client, one) > was for one, was in zip((ben, follower), heard, strict=True)]
    )


async def test_only_dates_can_be_removed_and_only_near_ones_added(client, ana):
    """Removing something that is not a date leaves the rule unchanged. A wrong year does not add a date in the next
    century.
    """
    made = await create_series(client, ana)
    refused = await post_to_series(client, ana, made, "remove-dates", {"dates": [FIRST, "2026-03-04T18:00:00"]})
    assert refused.status_code == 404
    assert (await client.get(f"/api/series/{made['slug']}", headers=ana)).json()["revision"] == made["revision"]
    far = await post_to_series(client, ana, made, "dates", {"startsLocal": "2150-03-04T18:00"})
    assert (far.status_code, far.json()["title"]) == (422, "TooFarAhead")
    gap = await post_to_series(client, ana, made, "dates", {"startsLocal": "2026-03-29T02:30"})
    assert (gap.status_code, gap.json()["fields"]) == (
        400,
        {"startsLocal": "That time doesn’t exist on that day. Choose 03:30."},
    )


async def test_a_range_stores_no_past_dates(client, ana):
    """A series may have begun years before it was created on this site. Cancelling all of it creates no dates in the
    past.
    """
    made = await create_series(client, ana, startsLocal="2020-03-03T18:00", endsLocal="2020-03-03T20:00")
    done = await post_to_series(client, ana, made, "cancel", {"fromDate": "2020-01-01", "toDate": "2026-03-17"})
    assert done.json()["datesChanged"] == 3
    past = await listed_dates(client, made, **{"from": "2020-01-01T00:00", "to": "2026-03-01T00:00"})
    assert not any(one["isStored"] for one in past)
