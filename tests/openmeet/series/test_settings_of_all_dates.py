"""Settings that are shown at one date and apply to all: saving them never overwrites somebody else's change. On both
engines.
"""

import asyncio

from tests.openmeet.series.api_client import create_series, listed_dates
from tests.openmeet.site_under_test import inputs_of, sign_up


async def two_dates(client, ana, **changes: object) -> tuple[dict, str, str]:
    made = await create_series(client, ana, **changes)
    first, second, *_ = await listed_dates(client, made)
    return made, f"/api/events/{first['slug']}", f"/api/events/{second['slug']}"


async def test_admission_settings_for_all_dates_need_the_etag_that_was_read(client, ana):
    """The ETag is needed if the settings were read at a date without its own settings, at another date, or before there
    were any.
    """
    _, first, second = await two_dates(client, ana)
    nothing = (await client.get(f"{first}/joining", headers=ana)).headers["etag"]
    for_all = {"scope": "series"}
    saved = await client.put(f"{second}/joining", json={"maxParty": 2}, params=for_all, headers=ana)
    assert saved.status_code == 200
    stale = await client.put(
        f"{first}/joining", json={"maxParty": 9}, params=for_all, headers=ana | {"if-match": nothing}
    )
    assert stale.status_code == 412
    read = await client.get(f"{first}/joining", headers=ana)
    assert read.json()["maxParty"] == 2
    fresh = await client.put(
        f"{first}/joining", json={"maxParty": 3}, params=for_all, headers=ana | {"if-match": read.headers["etag"]}
    )
    assert fresh.status_code == 200
    stale = await client.put(
        f"{second}/joining", json={"maxParty": 9}, params=for_all, headers=ana | {"if-match": saved.headers["etag"]}
    )
    assert stale.status_code == 412
    again = await client.put(
        f"{first}/joining", json={"maxParty": 4}, params=for_all, headers=ana | {"if-match": fresh.headers["etag"]}
    )
    assert (again.status_code, again.json()["maxParty"]) == (200, 4)


async def test_replaced_settings_do_not_match_an_old_etag(client, ana):
    """A date's own settings are replaced by those for all dates and set again. Their revision starts again, but their
    ETag differs.
    """
    _, first, _ = await two_dates(client, ana)
    own = await client.put(f"{first}/joining", json={"maxParty": 2}, headers=ana)
    await client.put(f"{first}/joining", json={"maxParty": 3}, params={"scope": "series"}, headers=ana)
    await client.put(f"{first}/joining", json={"maxParty": 4}, headers=ana)
    stale = await client.put(f"{first}/joining", json={"maxParty": 9}, headers=ana | {"if-match": own.headers["etag"]})
    assert stale.status_code == 412
    assert (await client.get(f"{first}/joining", headers=ana)).json()["maxParty"] == 4


async def test_of_two_concurrent_edits_for_all_dates_one_is_refused(client, ana):
    """Two people save at different dates with the same ETag: one request succeeds and the other gets 412."""
    _, first, second = await two_dates(client, ana)
    tag = (await client.get(f"{first}/joining", headers=ana)).headers["etag"]
    answers = await asyncio.gather(
        *(
            client.put(
                f"{path}/joining", json={"maxParty": most}, params={"scope": "series"}, headers=ana | {"if-match": tag}
            )
            for path, most in ((first, 2), (second, 3))
        )
    )
    assert sorted(one.status_code for one in answers) == [200, 412]
    (kept,) = [one.json()["maxParty"] for one in answers if one.status_code == 200]
    assert (await client.get(f"{first}/joining", headers=ana)).json()["maxParty"] == kept


async def test_the_form_for_all_dates_detects_a_change_since_it_was_shown(site, client, ana):
    """The typed text is kept, and saving again stores it."""
    _, first, second = await two_dates(client, ana)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        page = f"{first.removeprefix('/api')}/joining"
        form = inputs_of((await browser.get(page)).text) | {"scope": "series", "max_party": "5"}
        await client.put(f"{second}/joining", json={"maxParty": 2}, params={"scope": "series"}, headers=ana)
        stale = await browser.post(page, data=form)
        assert stale.status_code == 409
        assert "Somebody else saved these settings" in stale.text
        again = form | {"revision": inputs_of(stale.text)["revision"]}
        assert (await browser.post(page, data=again)).status_code == 303
    assert (await client.get(f"{second}/joining", headers=ana)).json()["maxParty"] == 5


async def test_the_choice_of_published_dates_needs_the_etag_that_was_read(client, ana):
    """The choice belongs to the series, so an ETag that was read at one date is outdated after a change at another."""
    _, first, second = await two_dates(client, ana)
    tag = (await client.get(f"{first}/bluesky-settings", headers=ana)).headers["etag"]
    saved = await client.post(f"{second}/bluesky-settings", json={"seriesPolicy": "window"}, headers=ana)
    assert saved.status_code == 200
    stale = await client.post(
        f"{first}/bluesky-settings", json={"seriesPolicy": "none"}, headers=ana | {"if-match": tag}
    )
    assert stale.status_code == 412
    read = await client.get(f"{first}/bluesky-settings", headers=ana)
    assert read.json()["seriesPolicy"] == "window"
    fresh = await client.post(
        f"{first}/bluesky-settings",
        json={"seriesPolicy": "none", "detailsLevel": "minimal", "forSeries": True},
        headers=ana | {"if-match": read.headers["etag"]},
    )
    assert (fresh.status_code, fresh.json()["seriesPolicy"]) == (200, "none")
    stale = await client.post(
        f"{second}/bluesky-settings", json={"seriesPolicy": "window"}, headers=ana | {"if-match": saved.headers["etag"]}
    )
    assert stale.status_code == 412
    after = await client.post(
        f"{first}/bluesky-settings", json={"detailsLevel": "full"}, headers=ana | {"if-match": fresh.headers["etag"]}
    )
    assert after.status_code == 200


async def test_the_record_page_keeps_a_choice_made_at_another_date(site, client, ana):
    """The page sends the choice of published dates with every save."""
    _, first, second = await two_dates(client, ana)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        page = f"{first.removeprefix('/api')}/publishing"
        form = inputs_of((await browser.get(page)).text) | {"publishes": "full", "policy": "next", "scope": "event"}
        await client.post(f"{second}/bluesky-settings", json={"seriesPolicy": "window"}, headers=ana)
        stale = await browser.post(page, data=form)
        assert (stale.status_code, "has been changed since you opened it" in stale.text) == (412, True)
    assert (await client.get(f"{first}/bluesky-settings", headers=ana)).json()["seriesPolicy"] == "window"
