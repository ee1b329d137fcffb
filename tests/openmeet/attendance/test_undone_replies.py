"""The undo button after a click on a reply."""

import pytest

from openmeet.domain.attendance import actions, invitations
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus, RsvpReply
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


async def test_undo_cannot_make_a_reply_unclear_again(make_sqlite, clock):
    """Somebody whose record has an unknown status says maybe. "Going" would be a reply that they never gave."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ben = await person(tx, "Ben")
        event = await event_by(tx, await person(tx, "Ana"))
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.UNCLEAR)
    async with signed_in(site, ben.user_id) as browser:
        done = await browser.post(f"/events/{event.slug}/answer", data={"reply": "interested"})
    assert done.headers["location"] == f"/events/{event.slug}"
