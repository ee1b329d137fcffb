"""Forms as a hostile browser would send them."""

import httpx
import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, site_on

_FORM = {"title": "Board games", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://openmeet.test@evil.example", "", "\x7f"])
async def test_form_from_another_origin_is_refused(make_sqlite: MakeDatabase, clock: HandClock, origin: str) -> None:
    async with site_on(await make_sqlite("openmeet"), clock).browser() as browser:
        answer = await browser.post("/sign-out", headers={"origin": origin})
    assert answer.status_code == 403


@pytest.mark.parametrize("revision", ["9" * 5000, "9" * 25, "-1", "٣", "x"])
async def test_a_form_of_no_version_changes_nothing(make_sqlite: MakeDatabase, clock: HandClock, revision: str) -> None:
    async with site_on(await make_sqlite("openmeet"), clock).browser() as browser:
        await sign_up(browser, "ada@example.org", "Ada")
        made = await browser.post("/events/new", data=_FORM)
        page = made.headers["location"]
        answer = await browser.post(f"{page}/edit", data={**_FORM, "title": "Other", "revision": revision})
        assert answer.status_code == 409
        assert "Board games" in (await browser.get(page)).text


async def test_oversized_form_key_does_not_break_a_form(make_database: MakeDatabase, clock: HandClock) -> None:
    """An oversized form key does not break a form, although a PostgreSQL index cannot hold keys of many incompressible
    kilobytes.
    """
    noise = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(9000))
    async with site_on(await make_database("openmeet"), clock).browser() as browser:
        await sign_up(browser, "ada@example.org", "Ada")
        answer = await browser.post("/events/new", data={**_FORM, "submission": noise})
    assert answer.status_code == 303


@pytest.mark.parametrize("zone", ["+24:00", "+99:99", "-99:00", "+٠٢:00", "localtime", "Factory", "../UTC"])
async def test_unknown_time_zone_is_named(make_sqlite: MakeDatabase, clock: HandClock, zone: str) -> None:
    async with site_on(await make_sqlite("openmeet"), clock).browser() as browser:
        answer = await browser.post("/events/new", data={**_FORM, "time_zone": zone})
    assert answer.status_code == 400
    assert "We don’t know this time zone" in answer.text


async def test_an_event_in_any_script_is_made_and_found(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    async with site_on(await make_sqlite("openmeet"), clock).browser() as browser:
        ada = await api_session(browser, "ada@example.org", "Ada")
        body = {"title": "東京パーティー", "startsLocal": "2026-07-04T18:00", "timeZone": "Asia/Tokyo"}
        made = await browser.post("/api/events", json=body, headers=ada)
        assert made.status_code == 201
        assert (await browser.get(made.headers["location"])).json()["title"] == "東京パーティー"
        assert (await browser.get(httpx.URL(made.json()["url"]).raw_path.decode())).status_code == 200


async def test_body_errors_do_not_reveal_private_events(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), visibility="private")
    async with site.browser() as browser:
        ben = await api_session(browser, "ben@example.org", "Ben")
        body = {"title": "", "startsLocal": "", "timeZone": ""}
        there = await browser.put(f"/api/events/{event.slug}", json=body, headers=ben)
        nowhere = await browser.put("/api/events/nowhere-22222", json=body, headers=ben)
    assert there.status_code == nowhere.status_code == 404
    assert there.json()["detail"] == nowhere.json()["detail"]
