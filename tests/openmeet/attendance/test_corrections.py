"""A host corrects an event without notifying its guests. A new time is always announced."""

import pytest

from openmeet.domain.attendance import actions, event_hosting, queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.users.model import Caller
from tests.openmeet.site_under_test import Site, api_session, details, event_by, person, signed_in, site_on

IS_CORRECTION = 'name="is_correction"'


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.fixture
async def site(make_sqlite, clock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def notices_of_changes(tx, who: Caller) -> int:
    return [one.kind for one in await newest(tx, who.user_id, 9)].count(event_kinds.EVENT_CHANGED)


async def evening(tx, **typed: str) -> tuple[Caller, Caller, Event]:
    """An event of Ana's to which Ben goes."""
    ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    event = await event_by(tx, ana, **typed)
    await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    return ana, ben, event


async def test_nobody_is_notified_of_a_correction_but_free_places_are_filled(db) -> None:
    async with db.transaction() as tx:
        ana, ben, event = await evening(tx, capacity="1", venue_name="Libary")
        cleo = await person(tx, "Cleo")
        await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        corrected = details(capacity="2", venue_name="Library")
        after = await event_hosting.revise(tx, ana, event.slug, corrected, is_correction=True)
        assert after.place.name == "Library"
        assert [await notices_of_changes(tx, who) for who in (ben, cleo)] == [0, 0]
        offered_to = await queries.find(tx, event.id, cleo.user_id)
        assert offered_to is not None
        assert offered_to.has_offer(tx.now)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2", venue_name="Café"))
        assert [await notices_of_changes(tx, who) for who in (ben, cleo)] == [1, 1]


async def test_the_other_hosts_are_notified_of_a_correction(db) -> None:
    async with db.transaction() as tx:
        ana, ben, event = await evening(tx)
        cleo = await person(tx, "Cleo")
        invitation = await co_hosts.invite(tx, ana, event.slug, "cleo@example.org")
        await co_hosts.accept(tx, cleo, invitation.id)
        await event_hosting.revise(tx, cleo, event.slug, details(venue_name="Library"), is_correction=True)
        assert [await notices_of_changes(tx, who) for who in (ana, ben, cleo)] == [1, 0, 0]


@pytest.mark.parametrize(
    "moved", [{"starts": "2026-07-04T17:00"}, {"ends": "2026-07-04T21:00"}, {"time_zone": "America/New_York"}]
)
async def test_a_new_time_is_announced_even_as_a_correction(db, moved) -> None:
    async with db.transaction() as tx:
        ana, ben, event = await evening(tx)
        await event_hosting.revise(tx, ana, event.slug, details(**moved), is_correction=True)
        assert await notices_of_changes(tx, ben) == 1


async def test_hosts_choose_it_in_the_form_if_there_are_guests(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben, event = await evening(tx)
        alone = await event_by(tx, ana, title="Nobody yet")
    path = f"/events/{event.slug}/edit"
    async with signed_in(site, ana.user_id) as browser:
        assert IS_CORRECTION not in (await browser.get(f"/events/{alone.slug}/edit")).text
        assert IS_CORRECTION in (await browser.get(path)).text
        typed = values_of_event(event) | {"revision": str(event.revision), "is_correction": "yes"}
        refused = await browser.post(path, data=typed | {"title": ""})
        assert f'id="is_correction" {IS_CORRECTION} value="yes" checked' in refused.text
        saved = await browser.post(path, data=typed | {"venue_name": "Library"})
        assert saved.headers["location"].startswith(f"/events/{event.slug}")
    async with site.db.reader() as reader:
        after = await events.by_id(reader, event.id)
        assert after is not None
        assert after.place.name == "Library"
        assert await notices_of_changes(reader, ben) == 0


@pytest.mark.parametrize(("is_correction", "notified"), [(True, 0), (False, 1)])
async def test_programs_choose_it_too(site: Site, is_correction: bool, notified: int) -> None:
    body = {"title": "Tea", "startsLocal": "2026-07-04T18:00", "endsLocal": "2026-07-04T20:00", "timeZone": "UTC"}
    async with site.browser() as program:
        ana = await api_session(program, "ana@example.org", "Ana")
        path = (await program.post("/api/events", json=body, headers=ana)).headers["location"]
        async with site.db.transaction() as tx:
            ben = await person(tx, "Ben")
            await actions.answer(tx, ben, EventSlug(path.rpartition("/")[2]), RsvpReply.GOING)
        corrected = body | {"venue": {"name": "Library"}, "isCorrection": is_correction}
        assert (await program.put(path, json=corrected, headers=ana)).status_code == 200
    async with site.db.reader() as reader:
        assert await notices_of_changes(reader, ben) == notified


async def test_a_new_event_is_no_correction(site: Site) -> None:
    body = {"title": "Tea", "startsLocal": "2026-07-04T18:00", "timeZone": "UTC", "isCorrection": True}
    async with site.browser() as program:
        ana = await api_session(program, "ana@example.org", "Ana")
        refused = await program.post("/api/events", json=body, headers=ana)
    assert refused.status_code == 400
    assert refused.json()["fields"] == {"isCorrection": "A new event has no guests who could be notified."}
    async with site.db.reader() as reader:
        assert await reader.fetch("select 1 from events") == []
