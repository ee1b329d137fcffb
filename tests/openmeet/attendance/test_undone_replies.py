"""The undo button after a click on a reply."""

import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions, invitations, registration
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from tests.openmeet.attendance.network_answers import apply_network_answer
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on

S = AttendanceStatus


@pytest.mark.parametrize(
    ("before", "reply", "undo"),
    [
        (None, RsvpReply.GOING, "declined"),
        (S.ATTENDING, RsvpReply.DECLINED, "going"),
        (S.INTERESTED, RsvpReply.GOING, "interested"),
        (S.DECLINED, RsvpReply.INTERESTED, "declined"),
        # They would go to the end of the waitlist, or would have declined the invitation.
        (S.WAITLISTED, RsvpReply.DECLINED, None),
        (S.INVITED, RsvpReply.GOING, None),
    ],
)
async def test_undo_is_offered_only_if_a_reply_restores_what_was_before(make_sqlite, clock, before, reply, undo):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, capacity="1")
        if before is S.INVITED:
            await invitations.invite(tx, ana, event.slug, "ben@example.org")
        elif before is S.WAITLISTED:
            await actions.answer(tx, await person(tx, "Cleo"), event.slug, RsvpReply.GOING)
            assert (await actions.answer(tx, ben, event.slug, RsvpReply.GOING)).status is before
        elif before is not None:
            of_status = {S.ATTENDING: RsvpReply.GOING, S.INTERESTED: RsvpReply.INTERESTED}
            await actions.answer(tx, ben, event.slug, of_status.get(before, RsvpReply.DECLINED))
    async with signed_in(site, ben.user_id) as browser:
        done = await browser.post(f"/events/{event.slug}/answer", data={"reply": reply.value})
        path = f"/events/{event.slug}"
        assert done.headers["location"] == (path if undo is None else f"{path}?undo={undo}")
        shown = (await browser.get(done.headers["location"])).text
        assert ('class="undo"' in shown) is (undo is not None)


@pytest.mark.parametrize("is_closed", [True, False])
async def test_no_undo_is_offered_that_would_be_refused(make_sqlite, clock, is_closed):
    """After the deadline, nobody can say "going" any more."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ben = await person(tx, "Ben")
        event = await event_by(tx, await person(tx, "Ana"))
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        if is_closed:
            await registration.put(tx, event.id, RegistrationSettings(closes_hours_before=24))
            clock.turn(event.starts_at - HOUR - clock.now())
    async with signed_in(site, ben.user_id) as browser:
        done = await browser.post(f"/events/{event.slug}/answer", data={"reply": "declined"})
        shown = (await browser.get(done.headers["location"])).text
        again = await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    assert ('class="undo"' in shown, again.status_code) == ((False, 422) if is_closed else (True, 303))


@pytest.mark.parametrize("asks_at", ["never", "late"])
async def test_undo_cannot_make_a_reply_unclear_or_unconfirmed_again(make_sqlite, clock, asks_at):
    """Somebody whose record has an unknown status, or came too late, says maybe. "Going" would be another reply."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ben = await person(tx, "Ben")
        event = await event_by(tx, await person(tx, "Ana"))
        if asks_at == "late":
            await registration.put(tx, event.id, RegistrationSettings(closes_hours_before=24))
            clock.turn(event.starts_at - HOUR - clock.now())
    async with site.db.transaction() as tx:
        answer = RsvpRecordStatus.UNCLEAR if asks_at == "never" else RsvpRecordStatus.GOING
        await apply_network_answer(tx, event, ben.user_id, answer)
        await registration.put(tx, event.id, RegistrationSettings())
    async with signed_in(site, ben.user_id) as browser:
        done = await browser.post(f"/events/{event.slug}/answer", data={"reply": "interested"})
    assert done.headers["location"] == f"/events/{event.slug}"
