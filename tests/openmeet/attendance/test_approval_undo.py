"""Undo of the approval of several requests: what comes back, and what stays because something has happened since."""

import re
from dataclasses import replace

import httpx
import pytest

from groundwork.clock import HOUR, MINUTE, HandClock
from openmeet.domain.attendance import actions, event_hosting, host_decisions, queries
from openmeet.domain.attendance.model import AttendanceStatus, PendingFor, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, inputs_of, person, signed_in, site_on

S = AttendanceStatus
NAMES = ("Ben", "Cleo", "Dora")


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def asked(site: Site, *, capacity: str = "") -> tuple[Caller, Event, list[Caller]]:
    """An event whose host decides, and three people who want to join."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity=capacity)
        await event_hosting.change_registration_settings(tx, ana, event.slug, RegistrationSettings(needs_approval=True))
        people = [await person(tx, name) for name in NAMES]
        for one in people:
            await actions.answer(tx, one, event.slug, RsvpReply.GOING)
    return ana, event, people


async def statuses(site: Site, event: Event, people: list[Caller]) -> list[AttendanceStatus]:
    async with site.db.reader() as reader:
        found = [await queries.find(reader, event.id, one.user_id) for one in people]
    return [one.status for one in found if one is not None]


async def approve_all(browser: httpx.AsyncClient, event: Event) -> str:
    """Approve everyone. Returns what the button to undo it sends."""
    done = await browser.post(f"/events/{event.slug}/attendees", data={"act": "approve_all"})
    shown = (await browser.get(done.headers["location"])).text
    assert "3 approved" in shown
    (value,) = re.findall(r'name="approved" value="([0-9-]+)"', shown)
    return str(value)


async def undo(browser: httpx.AsyncClient, event: Event, batch: str) -> str:
    """Undo, and return the page that is shown then."""
    done = await browser.post(f"/events/{event.slug}/attendees/undo-approvals", data={"approved": batch})
    assert done.status_code == 303, done.text
    return (await browser.get(done.headers["location"])).text


async def test_all_of_them_are_requests_again_and_nobody_is_told(site: Site) -> None:
    ana, event, people = await asked(site)
    async with signed_in(site, ana.user_id) as browser:
        batch = await approve_all(browser, event)
        assert await statuses(site, event, people) == [S.ATTENDING] * 3
        assert "Undone. 3 requests are open again." in await undo(browser, event, batch)
        assert await statuses(site, event, people) == [S.PENDING] * 3
        # They can be approved again like any other request.
        await approve_all(browser, event)
    async with site.db.reader() as reader:
        rows = await reader.fetch("select user_id from notifications where kind = 'answer_approved'")
    assert len(rows) == 3


async def test_who_has_cancelled_since_stays_cancelled(site: Site) -> None:
    ana, event, people = await asked(site)
    async with signed_in(site, ana.user_id) as browser:
        batch = await approve_all(browser, event)
        async with site.db.transaction() as tx:
            await actions.answer(tx, people[1], event.slug, RsvpReply.DECLINED)
        shown = await undo(browser, event, batch)
        assert "2 requests are open again. Nothing changed for 1 person" in shown
    assert await statuses(site, event, people) == [S.PENDING, S.DECLINED, S.PENDING]


async def test_who_knows_already_stays_approved(site: Site) -> None:
    ana, event, people = await asked(site)
    async with signed_in(site, ana.user_id) as browser:
        batch = await approve_all(browser, event)
        async with site.db.transaction() as tx:
            await notifications.mark_all_read(tx, people[0].user_id)
        await undo(browser, event, batch)
    assert await statuses(site, event, people) == [S.ATTENDING, S.PENDING, S.PENDING]


async def test_a_later_approval_is_not_undone_with_an_earlier_one(site: Site, clock: HandClock) -> None:
    ana, event, people = await asked(site)
    async with site.db.transaction() as tx:
        ids = [one.id for who in people if (one := await queries.find(tx, event.id, who.user_id))]
    async with signed_in(site, ana.user_id) as browser:
        path = f"/events/{event.slug}/attendees"
        done = await browser.post(path, data={"act": "approve", "who": ids[:2]})
        clock.turn(MINUTE)
        await browser.post(path, data={"act": "approve", "who": ids[2:]})
        await undo(browser, event, done.headers["location"].partition("approved=")[2])
    assert await statuses(site, event, people) == [S.PENDING, S.PENDING, S.ATTENDING]


async def test_free_places_go_to_nobody_who_is_undone_too(site: Site) -> None:
    """Two get places and one joins the waitlist. Undoing must not offer the third one a place in between."""
    ana, event, people = await asked(site, capacity="2")
    async with signed_in(site, ana.user_id) as browser:
        done = await browser.post(f"/events/{event.slug}/attendees", data={"act": "approve_all"})
        assert await statuses(site, event, people) == [S.ATTENDING, S.ATTENDING, S.WAITLISTED]
        await undo(browser, event, done.headers["location"].partition("approved=")[2])
    assert await statuses(site, event, people) == [S.PENDING] * 3
    async with site.db.reader() as reader:
        rows = await reader.fetch(
            "select kind from notifications where kind = :kind", kind=event_kinds.SEAT_OFFERED.name
        )
    assert rows == []


async def test_only_the_host_who_approved_can_undo_it(site: Site, clock: HandClock) -> None:
    ana, event, people = await asked(site)
    async with signed_in(site, ana.user_id) as browser:
        batch = await approve_all(browser, event)
        assert (await browser.post(f"/events/{event.slug}/attendees/undo-approvals", data={})).status_code == 400
    async with signed_in(site, people[0].user_id) as browser:
        path = f"/events/{event.slug}/attendees/undo-approvals"
        assert (await browser.post(path, data={"approved": batch})).status_code == 403
    clock.turn(HOUR)
    async with site.db.transaction() as tx:
        await host_decisions.approve(tx, ana, event.slug, [])
    assert await statuses(site, event, people) == [S.ATTENDING] * 3


@pytest.mark.parametrize("approved", ["1-" + "9" * 20, "9" * 20 + "-1", "1-", "x", "1-2-3"])
async def test_malformed_batches_are_refused(site: Site, approved: str) -> None:
    ana, event, _ = await asked(site)
    async with signed_in(site, ana.user_id) as browser:
        assert (await browser.get(f"/events/{event.slug}/attendees?approved={approved}")).status_code == 200
        done = await browser.post(f"/events/{event.slug}/attendees/undo-approvals", data={"approved": approved})
        assert done.status_code == 404


async def test_the_page_says_once_what_was_decided(site: Site) -> None:
    """In the flash message with its Undo. A page that is loaded again says it in its place."""
    ana, event, _ = await asked(site)
    async with signed_in(site, ana.user_id) as browser:
        path = f"/events/{event.slug}/attendees"
        done = await browser.post(path, data={"act": "approve_all"})
        first, again = [(await browser.get(done.headers["location"])).text for _ in range(2)]
        assert ("3 approved" in first, "You approved 3" in first, first.count('name="approved"')) == (True, False, 1)
        assert ("3 approved" in again, "You approved 3" in again, again.count('name="approved"')) == (False, True, 1)


async def test_the_page_says_once_whose_request_was_declined(site: Site) -> None:
    ana, event, people = await asked(site)
    async with site.db.reader() as reader:
        rsvp = await queries.find(reader, event.id, people[0].user_id)
    assert rsvp is not None
    async with signed_in(site, ana.user_id) as browser:
        done = await browser.post(f"/events/{event.slug}/attendees", data={"act": "remove", "who": rsvp.id})
        for _ in range(2):
            shown = (await browser.get(done.headers["location"])).text
            sentence = "You declined the request of Ben"
            assert ("1 declined" in shown, shown.count(sentence), shown.count("/restore")) == (False, 1, 1)


async def test_an_approval_on_the_event_page_is_undone_there(site: Site) -> None:
    ana, event, people = await asked(site)
    async with site.db.reader() as reader:
        rsvp = await queries.find(reader, event.id, people[0].user_id)
    assert rsvp is not None
    async with signed_in(site, ana.user_id) as browser:
        path = f"/events/{event.slug}"
        done = await browser.post(f"{path}/attendees", data={"only": f"approve:{rsvp.id}", "next": "event"})
        assert done.headers["location"].startswith(f"{path}?approved=")
        form = inputs_of((await browser.get(done.headers["location"])).text.partition("1 approved.")[2])
        (batch,) = re.findall("approved=([0-9-]+)", done.headers["location"])
        undone = await browser.post(f"{path}/attendees/undo-approvals", data={"next": form["next"], "approved": batch})
        assert undone.headers["location"] == path
        assert "1 request is open again" in (await browser.get(path)).text
    assert await statuses(site, event, people) == [S.PENDING] * 3


async def test_answers_that_were_kept_apart_are_kept_apart_again(site: Site) -> None:
    """After undoing an approval, and after undoing a removal. They are no requests that wait for the host."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for one in (ben, cleo):
            rsvp = await actions.answer(tx, one, event.slug, RsvpReply.GOING)
            apart = replace(rsvp, status=S.PENDING, pending_for=PendingFor.UNCONFIRMED)
            await queries.save(tx, apart)
    async with signed_in(site, ana.user_id) as browser:
        path = f"/events/{event.slug}/attendees"
        done = await browser.post(path, data={"act": "approve_all"})
        await undo(browser, event, done.headers["location"].partition("approved=")[2])
        async with site.db.reader() as reader:
            found = [await queries.find(reader, event.id, one.user_id) for one in (ben, cleo)]
        await browser.post(path, data={"act": "remove", "who": [one.id for one in found if one]})
        assert await pending(site, event, [ben, cleo]) == [None] * 2
        for rejected in found:
            await browser.post(f"{path}/restore", data={"who": rejected.id if rejected else ""})
    assert [one and one.pending_for for one in found] == [PendingFor.UNCONFIRMED] * 2
    assert await pending(site, event, [ben, cleo]) == [PendingFor.UNCONFIRMED] * 2


async def pending(site: Site, event: Event, people: list[Caller]) -> list[PendingFor | None]:
    async with site.db.reader() as reader:
        found = [await queries.find(reader, event.id, one.user_id) for one in people]
    return [one.pending_for for one in found if one is not None]
