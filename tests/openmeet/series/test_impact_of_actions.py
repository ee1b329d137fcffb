"""The effects of an action are counted beforehand, and the numbers are true afterwards; on both engines."""

import pytest

from tests.openmeet.series.api_client import (
    FIRST,
    SECOND,
    THIRD,
    create_series,
    listed_dates,
    notification_count,
    post_to_series,
)
from tests.openmeet.site_under_test import sign_up

ACTS = {
    "cancel": ({"dates": [FIRST, SECOND]}, (2, 2, 1, 1)),
    "cancel all": ({}, (9, 2, 1, 1)),
    "cancel a far one": ({"fromDate": FIRST, "toDate": "2027-03-01"}, (52, 2, 1, 1)),
    "pause": (None, (0, 2, 1, 1)),
    "remove-dates": ({"dates": [SECOND, THIRD]}, (2, 1, 1, 1)),
}


@pytest.mark.parametrize("act", ACTS)
async def test_a_plan_counts_what_an_action_does_and_changes_nothing(client, ana, ben, act) -> None:
    """The plan has the numbers of dates, of answers to them, of dates that differ on purpose, and of people who are
    reached.
    """
    body, wanted = ACTS[act]
    verb = act.partition(" ")[0]
    made = await create_series(client, ana)
    for name in (FIRST, SECOND):
        opened = await client.post(f"/api/series/{made['slug']}/dates/{name}", headers=ana)
        await client.put(f"/api/events/{opened.json()['slug']}/answer", json={"reply": "going"}, headers=ben)
    await post_to_series(
        client, ana, made, "edit", {"scope": "this", "originalDate": SECOND, "title": "Guests", "isSilent": True}
    )
    before, heard = await listed_dates(client, made), await notification_count(client, ben)
    plan = await post_to_series(client, ana, made, f"{verb}/plan", body)
    assert plan.status_code == 200, plan.text
    shown = plan.json()
    assert (shown["dates"], shown["answers"], shown["singleChanges"], shown["peopleTold"]) == wanted
    assert (await listed_dates(client, made), await notification_count(client, ben)) == (before, heard)
    assert (await post_to_series(client, ben, made, f"{verb}/plan", body)).status_code == 403
    done = await post_to_series(client, ana, made, verb, {} if body is None else body)
    assert done.status_code == 200, done.text
    assert await notification_count(client, ben) == heard + shown["peopleTold"]
    if verb == "cancel":
        assert done.json()["datesChanged"] == shown["dates"]


@pytest.mark.parametrize(("verb", "reached"), [("cancel", 1), ("remove-dates", 0)])
async def test_who_goes_to_all_dates_is_counted_for_a_date_that_is_not_stored_yet(
    client, ana, ben, verb, reached
) -> None:
    """Only a cancellation stores the date, so that its page can say so."""
    made = await create_series(client, ana)
    await client.put(f"/api/series/{made['slug']}/answer", json={"reply": "going"}, headers=ben)
    heard, far = await notification_count(client, ben), {"dates": ["2027-03-02T18:00:00"]}
    shown = (await post_to_series(client, ana, made, f"{verb}/plan", far)).json()
    assert (shown["dates"], shown["answers"], shown["peopleTold"]) == (1, 0, reached)
    assert (await post_to_series(client, ana, made, verb, far)).status_code == 200
    assert await notification_count(client, ben) == heard + reached


async def test_what_is_deleted_with_a_series_is_shown_on_its_page_and_in_the_api(site, client, ana, ben) -> None:
    made = await create_series(client, ana)
    opened = await client.post(f"/api/series/{made['slug']}/dates/{FIRST}", headers=ana)
    await client.put(f"/api/events/{opened.json()['slug']}/answer", json={"reply": "going"}, headers=ben)
    numbers = {}
    for keeps in ("true", "false"):
        path = f"/api/series/{made['slug']}/delete/plan"
        shown = (await client.post(path, params={"keepEvents": keeps}, headers=ana)).json()
        numbers[keeps] = (shown["dates"], shown["answers"], shown["peopleTold"])
    assert numbers == {"true": (0, 0, 0), "false": (9, 1, 1)}
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        page = (await browser.get(f"/series/{made['slug']}/delete")).text
    assert "1 answer will be deleted, too. We’ll notify 1 person." in page


async def test_the_effect_of_deleting_a_group_is_counted(client, ana, ben) -> None:
    group = (await client.post("/api/groups", json={"name": "Chess", "timeZone": "Europe/Berlin"}, headers=ana)).json()
    await client.put(f"/api/groups/{group['slug']}/membership", json={}, headers=ben)
    await create_series(client, ana, group=group["slug"])
    path = f"/api/groups/{group['slug']}/delete/plan"
    shown = (await client.post(path, headers=ana)).json()
    assert {name: shown[name] for name in ("events", "eventsForMembers", "members", "waiting")} == {
        "events": 9,
        "eventsForMembers": 0,
        "members": 1,
        "waiting": 0,
    }
    assert (await client.post(path, headers=ben)).status_code == 403
    assert (await client.get(f"/api/groups/{group['slug']}", headers=ben)).status_code == 200
