"""A host who sets the limit below the attendance is asked to confirm once, with the numbers. Nobody loses a place."""

from dataclasses import replace
from functools import partial

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions, capacity_change, queries, registration
from openmeet.domain.attendance.model import AttendanceMode, ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.series import date_queries
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller
from openmeet.web.series.json_views import consequences
from tests.databases import MakeDatabase
from tests.openmeet.interleaving import run, run_actions_interleaved
from tests.openmeet.series.practice import create_weekly_series, dates
from tests.openmeet.site_under_test import Site, api_session, details, event_by, inputs_of, person, signed_in, site_on


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def crowd(tx, event: Event, parties: list[int], mode: AttendanceMode | None = None) -> None:
    await registration.put(tx, event.id, RegistrationSettings(max_party=9))
    for number, party in enumerate(parties):
        who = await person(tx, f"Guest {number} {event.slug}")
        await actions.answer(tx, who, event.slug, RsvpReply.GOING, ReplyDetails(party=party, mode=mode))


async def test_the_form_asks_once_before_lowering_the_limit(site: Site) -> None:
    """Five places are taken and a party of four waits. The form asks before it lowers the limit to three, and nobody is
    removed.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="5")
        await crowd(tx, event, [2, 3, 4, 1])
    async with signed_in(site, ana.user_id) as browser:
        page = f"/events/{event.slug}/edit"
        form = inputs_of((await browser.get(page)).text) | {"mode": "in_person", "time_zone": "Europe/Berlin"}
        asked = await browser.post(page, data={**form, "capacity": "3", "description": "Kept words"})
        assert asked.status_code == 400
        assert "2 people are over that limit. They keep their places, and nobody moves up" in asked.text
        assert "1 answer on the waitlist is for more people" in asked.text
        assert "Kept words" in asked.text
        again = inputs_of(asked.text)
        # A different limit needs its own confirmation.
        asked = await browser.post(page, data={**form, **again, "capacity": "2"})
        assert (asked.status_code, "3 people are over that limit" in asked.text) == (400, True)
        saved = await browser.post(page, data={**form, **inputs_of(asked.text), "capacity": "2"})
        assert (saved.status_code, "event_saved_full" in str(saved.headers)) == (303, True)
    async with site.db.reader() as reader:
        assert await queries.seats_held(reader, event.id) == 5
        assert (await queries.counts(reader, [event.id]))[event.id].waitlisted == 4 + 1


async def test_an_error_in_another_field_confirms_nothing(site: Site) -> None:
    """A form that is shown again because of another error does not count as the confirmation of the limit or of a start
    in the past.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="5")
        await crowd(tx, event, [2, 3])
    async with signed_in(site, ana.user_id) as browser:
        page = f"/events/{event.slug}/edit"
        form = inputs_of((await browser.get(page)).text) | {"mode": "in_person", "time_zone": "Europe/Berlin"}
        over = {"capacity": "3", "starts": "2025-07-04T18:00", "ends": ""}
        untitled = await browser.post(page, data={**form, **over, "title": ""})
        assert (untitled.status_code, "are over that limit" in untitled.text) == (400, False)
        kept = {**form, **inputs_of(untitled.text), "title": event.title}
        asked = await browser.post(page, data=kept)
        assert (asked.status_code, "This start is in the past" in asked.text) == (400, True)
        kept = {**form, **inputs_of(asked.text)}
        asked = await browser.post(page, data=kept)
        assert (asked.status_code, "2 people are over that limit" in asked.text) == (400, True)
        assert (await browser.post(page, data={**form, **inputs_of(asked.text)})).status_code == 303


async def test_a_change_without_effect_needs_no_confirmation(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="9")
        await crowd(tx, event, [2, 3])
        for capacity in ("5", "20", ""):
            assert (
                await capacity_change.impact_of_details(tx, [(event, details(capacity=capacity))])
                == capacity_change.CapacityImpact()
            )
        assert (await capacity_change.impact_of_details(tx, [(event, details(capacity="4"))])).people_over_limit == 1


async def test_a_limit_for_one_way_to_attend_needs_confirmation_too(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example")
        await crowd(tx, event, [3, 2], AttendanceMode.ONLINE)
    async with signed_in(site, ana.user_id) as browser:
        page = f"/events/{event.slug}/joining"
        form = {name: text for name, text in inputs_of((await browser.get(page)).text).items() if name != "next"}
        form |= {"limit_online": "4", "max_party": "9", "list_audience": "everyone", "scope": "event"}
        asked = await browser.post(page, data=form)
        assert (asked.status_code, "1 person is over that limit." in asked.text) == (400, True)
        saved = await browser.post(page, data={**form, "lowered": inputs_of(asked.text)["lowered"]})
    assert saved.status_code == 303, saved.text
    async with site.db.reader() as reader:
        assert (await registration.settings_of(reader, event)).limit_online == 4
        assert await queries.seats_held(reader, event.id) == 5


async def test_an_outdated_form_is_not_asked_to_confirm_its_limit(site: Site) -> None:
    """A co-host changed the settings while the form was open. It shows their values and asks nothing about limits."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example")
        await crowd(tx, event, [3, 2], AttendanceMode.ONLINE)
    async with signed_in(site, ana.user_id) as browser:
        page = f"/events/{event.slug}/joining"
        form = {name: text for name, text in inputs_of((await browser.get(page)).text).items() if name != "next"}
        async with site.db.transaction() as tx:
            await registration.put(tx, event.id, RegistrationSettings(max_party=8))
        changed = {"limit_online": "4", "max_party": "9", "list_audience": "everyone", "scope": "event"}
        outdated = await browser.post(page, data=form | changed)
    assert (outdated.status_code, "over that limit" in outdated.text) == (409, False)


async def test_the_lowered_limit_is_the_one_to_confirm(site: Site) -> None:
    """Only the online limit is lowered. The question is about that limit and not about the limit in person."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example")
        await crowd(tx, event, [3, 2], AttendanceMode.ONLINE)
        await registration.put(tx, event.id, RegistrationSettings(max_party=9, limit_in_person=9, limit_online=5))
    async with signed_in(site, ana.user_id) as browser:
        page = f"/events/{event.slug}/joining"
        form = {name: text for name, text in inputs_of((await browser.get(page)).text).items() if name != "next"}
        form |= {"limit_online": "4", "list_audience": "everyone", "scope": "event"}
        asked = await browser.post(page, data=form)
    assert (asked.status_code, "1 person is over that limit." in asked.text) == (400, True)
    assert ('href="#limit_online"' in asked.text, 'href="#limit_in_person"' in asked.text) == (True, False)


async def test_the_api_asks_before_lowering_the_limit(site: Site) -> None:
    """The API asks for confirmation with the numbers and saves nothing before it is given. People who cannot edit the
    event learn nothing about it.
    """
    async with site.browser() as api, site.browser() as other:
        ana = await api_session(api, "ana@example.org", "Ana")
        ben = await api_session(other, "ben@example.org", "Ben")
        wanted = {"title": "Board games", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await api.post("/api/events", json={**wanted, "capacity": 5}, headers=ana)).headers["location"]
        async with site.db.transaction() as tx:
            event = await by_slug(tx, EventSlug(path.rpartition("/")[2]))
            assert event is not None
            await crowd(tx, event, [2, 3, 4])
        lower = {**wanted, "title": "Other words", "capacity": 3}
        asked = await api.put(path, json=lower, headers=ana)
        assert (asked.status_code, asked.json()["title"]) == (422, "LimitBelowPlaces")
        assert asked.json()["detail"] == (
            "2 people are over that limit. They keep their places, and nobody moves up until there’s room again."
            " 1 answer on the waitlist is for more people than that and can’t move up."
            " If that’s right, send it again with confirmLowerLimit=true."
        )
        kept = (await api.get(path)).json()
        assert (kept["title"], kept["capacity"], kept["revision"]) == ("Board games", 5, 1)
        assert (await other.put(path, json=lower, headers=ben)).status_code == 403
        assert (await api.put(path, json=lower, headers={**ana, "if-match": '"7"'})).status_code == 412
        saved = await api.put(f"{path}?confirmLowerLimit=true", json=lower, headers=ana)
        assert (saved.status_code, saved.json()["capacity"]) == (200, 3)
        # An unchanged limit needs no confirmation.
        assert (await api.put(path, json={**lower, "title": "Again"}, headers=ana)).status_code == 200


async def test_the_api_asks_about_the_limit_for_one_way_to_attend(site: Site) -> None:
    async with site.browser() as api:
        ana = await api_session(api, "ana@example.org", "Ana")
        wanted = {"title": "Talk", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin", "mode": "hybrid"}
        wanted["onlineUrl"] = "https://meet.example"
        path = (await api.post("/api/events", json=wanted, headers=ana)).headers["location"]
        async with site.db.transaction() as tx:
            event = await by_slug(tx, EventSlug(path.rpartition("/")[2]))
            assert event is not None
            await crowd(tx, event, [3, 2], AttendanceMode.ONLINE)
        lower = {"limitOnline": 4, "maxParty": 9}
        asked = await api.put(f"{path}/joining", json=lower, headers=ana)
        assert (asked.status_code, asked.json()["title"]) == (422, "LimitBelowPlaces")
        assert (await api.get(f"{path}/joining")).json()["limitOnline"] is None
        saved = await api.put(f"{path}/joining?confirmLowerLimit=true", json=lower, headers=ana)
        assert saved.json()["limitOnline"] == 4


async def test_an_edit_of_a_series_counts_it_over_all_dates(site: Site) -> None:
    async with site.db.transaction() as tx:
        _, series = await create_weekly_series(tx, capacity=6)
        first, second, *_ = await dates(tx, series)
        await crowd(tx, first, [3, 3])
        await crowd(tx, second, [4, 4])
        smaller = replace(series.content, capacity=3)
        held = await date_queries.stored(tx, series.id)
        counted = await consequences(tx, series, plan_all(series, smaller, series.timing, held, tx.now))
    assert (counted.people_over_limit, counted.parties_too_large) == (3 + 1, 1)


@pytest.mark.parametrize("lowered", ["the places of the event", "the places in person"])
async def test_a_place_taken_at_the_same_moment_needs_confirmation(
    make_database: MakeDatabase, clock: HandClock, lowered: str
) -> None:
    """Cleo takes the second place while the host lowers the limit to one, with a pause before each of her statements.
    She gets it and the host is asked, or the limit is saved and she waits.
    """
    site = site_on(await make_database("openmeet", clock=clock), clock)
    wanted = {"title": "Tea", "startsLocal": "2026-07-04T18:00", "timeZone": "UTC", "mode": "hybrid"}
    wanted |= {"onlineUrl": "https://meet.example/x"}
    taken: set[int] = set()
    async with site.browser() as api:
        ana = await api_session(api, "ana@example.org", "Ana")
        at, is_paused = 0, True
        while is_paused:
            at += 1
            headers = {**ana, "idempotency-key": f"tea-{at}"}
            path = (await api.post("/api/events", json={**wanted, "capacity": 5}, headers=headers)).headers["location"]
            async with site.db.transaction() as tx:
                event = await by_slug(tx, EventSlug(path.rpartition("/")[2]))
                assert event is not None
                ben, cleo = [await person(tx, f"{name} {at}") for name in ("Ben", "Cleo")]
                await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
            if lowered == "the places of the event":
                target, body = path, {**wanted, "capacity": 1}
            else:
                target, body = f"{path}/joining", {"limitInPerson": 1}
            answers: list[int] = []
            is_paused = await run_actions_interleaved(
                site.db, partial(_takes_a_place, cleo, event), partial(_lowers, api, target, body, ana, answers), at
            )
            async with site.db.reader() as reader:
                seats = await queries.seats_held(reader, event.id)
            assert (*answers, seats) in {(200, 1), (422, 2)}
            taken.add(seats)
    assert at > 2, "nothing ran at the same time"
    assert 2 in taken


async def _takes_a_place(who: Caller, event: Event, db: Database) -> None:
    await run(db, lambda tx: actions.answer(tx, who, event.slug, RsvpReply.GOING))


async def _lowers(
    api: httpx.AsyncClient,
    path: str,
    body: dict[str, object],
    headers: dict[str, str],
    answers: list[int],
    _db: Database,
) -> None:
    answers.append((await api.put(path, json=body, headers=headers)).status_code)
