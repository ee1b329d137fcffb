"""What hosts can decide about the RSVPs of a cancelled event; on both engines."""

import pytest

from groundwork.errors import Refused
from openmeet.domain.attendance import actions, event_hosting, host_decisions, queries, registration
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.notifications import event_kinds, notify
from openmeet.domain.notifications.queries import newest
from openmeet.domain.users.model import Caller
from tests.openmeet.site_under_test import event_by, person, sign_up, signed_in, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def test_nobody_is_let_in_to_a_cancelled_event(db):
    """Hosts can still remove people, who then no longer see a private event, and undo that without a notification."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        going = await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        asks = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await event_hosting.cancel(tx, ana, event.slug, "Rain")
    attempts = (
        lambda tx: host_decisions.approve_next(tx, ana, event.slug),
        lambda tx: host_decisions.approve(tx, ana, event.slug, [asks.id]),
        lambda tx: host_decisions.give_places(tx, ana, event.slug, [asks.id]),
        lambda tx: host_decisions.check_in(tx, ana, event.slug, going.id),
        lambda tx: host_decisions.add(tx, ana, event.slug, "Old Tom"),
    )
    for attempt in attempts:
        with pytest.raises(Refused) as refused:
            async with db.transaction() as tx:
                await attempt(tx)
        assert refused.value.why.code == AttendanceReason.EVENT_CANCELLED
    async with db.transaction() as tx:
        await host_decisions.reject(tx, ana, event.slug, [going.id])
        await notify.mark_all_read(tx, cleo.user_id)
        assert (await host_decisions.restore(tx, ana, event.slug, going.id)).status is AttendanceStatus.ATTENDING
        assert event_kinds.ANSWER_APPROVED not in [one.kind for one in await newest(tx, cleo.user_id, 50)]


async def test_the_pages_of_a_cancelled_event_offer_only_to_remove_people(db, clock):
    site = site_on(db, clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        async with db.transaction() as tx:
            row = await tx.fetch_one("select id from users where display_name = 'Ana'")
            ana, ben, cleo = Caller(row["id"], "Ana"), await person(tx, "Ben"), await person(tx, "Cleo")
            event = await event_by(tx, ana, capacity="5")
            await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
            for who in (ben, cleo):
                await actions.answer(tx, who, event.slug, RsvpReply.GOING)
            asks = await queries.find(tx, event.id, ben.user_id)
            await event_hosting.cancel(tx, ana, event.slug, "Rain")
        path = f"/events/{event.slug}"
        for one in (path, f"{path}/attendees?tab=asking", f"{path}/attendees/{asks.id}"):
            shown = (await browser.get(one)).text
            assert "Approve" not in shown, one
            assert "to join" not in shown.replace("Asked to join", ""), one
            assert "Add somebody" not in shown, one
        assert "Decline" in shown


async def test_a_form_that_was_open_when_the_event_was_cancelled_adds_nobody(db, clock):
    """The page says why. It no longer has the form, so nothing links to a field of it."""
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await event_hosting.cancel(tx, ana, event.slug, "Rain")
    async with signed_in(site, ana.user_id) as browser:
        refused = await browser.post(f"/events/{event.slug}/attendees/add", data={"name": "Old Tom"})
    assert refused.status_code == 422
    assert "cancelled" in visible_text(refused.text)
    assert 'href="#name"' not in refused.text
    async with db.reader() as reader:
        assert not await queries.has_rsvps(reader, event.id)
