"""The hosts’ list of guests."""

import re

from groundwork.clock import DAY
from openmeet.domain.attendance import actions, event_hosting, invitations
from openmeet.domain.attendance.model import AttendanceMode, ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.imports import queries as imports
from openmeet.domain.imports.model import ContactRow, ImportKind
from tests.openmeet.site_under_test import details, event_by, person, signed_in, site_on
from tests.visible_text import visible_text


async def test_people_who_have_not_answered_are_listed_apart_from_those_who_may_come(make_sqlite, clock):
    """The tab exists while somebody is invited, or when a host opens it."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
    path = f"/events/{event.slug}/attendees"
    async with signed_in(site, ana.user_id) as browser:
        assert "Invited" not in visible_text((await browser.get(path)).text)
        invited = await browser.post(f"{path}/invite", data={"email": "eve@example.org"})
        shown = (await browser.get(invited.headers["location"])).text
        assert ("eve@example.org" in shown, ">Ben<" in shown) == (True, False)
        maybe = visible_text((await browser.get(f"{path}?tab=interested")).text)
        assert ("Maybe 1" in maybe, "Invited 1" in maybe, "eve@example.org" in maybe) == (True, True, False)


async def test_the_link_to_an_imported_list_is_shown_once_there_is_one(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
    link = f'href="/import/lists/guests/{event.slug}"'
    async with signed_in(site, ana.user_id) as browser:
        assert link not in (await browser.get(f"/events/{event.slug}/attendees")).text
        async with site.db.transaction() as tx:
            row = ContactRow(1, "Tom", "tom@example.org", "", "")
            await imports.add_contacts(tx, ImportKind.GUESTS, event.id, [row], ana.user_id)
        assert link in (await browser.get(f"/events/{event.slug}/attendees")).text


async def test_an_invitation_is_e_mailed_at_once(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await invitations.invite(tx, ana, event.slug, "eve@example.org")
        (email,) = await tx.fetch("select due_at from notification_emails")
        assert email["due_at"] == tx.now


async def test_the_history_names_the_mode_of_a_reply(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example/x")
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails(mode=AttendanceMode.IN_PERSON))
    path = f"/events/{event.slug}/attendees/{mine.id}"
    async with signed_in(site, ana.user_id) as browser:
        for language, words in (("en", "(in person)"), ("de", "(vor Ort)")):
            assert words in (await browser.get(path, headers={"accept-language": language})).text


async def test_the_page_says_that_nobody_is_going_yet(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        open_event, limited = await event_by(tx, ana), await event_by(tx, ana, capacity="2")
    async with signed_in(site, ana.user_id) as browser:
        page = (await browser.get(f"/events/{open_event.slug}/attendees")).text
        assert 'id="numbers" data-live-part></p>' in page, "the tabs already have these numbers"
        shown = visible_text(page)
        assert ("Nobody yet" in shown, "0 going" in shown) == (True, False)
        assert "2 places left" in visible_text((await browser.get(f"/events/{limited.slug}/attendees")).text)
        async with site.db.transaction() as tx:
            await actions.answer(tx, ben, limited.slug, RsvpReply.GOING)
        assert "1 of 2 places left" in visible_text((await browser.get(f"/events/{limited.slug}/attendees")).text)


async def test_a_full_event_says_how_many_places_are_taken_and_who_waits(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, cleo = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Cleo")
        event = await event_by(tx, ana, capacity="1")
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as browser:
        full = visible_text((await browser.get(f"/events/{event.slug}/attendees")).text)
        assert "Full: 1 of 1 place taken Nobody on the waitlist" in full
        async with site.db.transaction() as tx:
            await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        full = visible_text((await browser.get(f"/events/{event.slug}/attendees")).text)
        assert "Full: 1 of 1 place taken 1 on the waitlist" in full


async def test_a_host_who_adds_somebody_is_not_asked_about_themselves(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await event_hosting.change_registration_settings(tx, ana, event.slug, RegistrationSettings(max_party=2))
    async with signed_in(site, ana.user_id) as browser:
        shown = visible_text((await browser.get(f"/events/{event.slug}/attendees")).text)
    assert ("1 person" in shown, "Only me" in shown) == (True, False)


async def test_rows_do_not_repeat_what_their_tab_says(make_sqlite, clock):
    """Among all who are going, only those who are checked in are marked."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
    path = f"/events/{event.slug}/attendees"
    async with signed_in(site, ana.user_id) as browser:
        for query, in_rows in (("tab=waiting", False), ("q=cleo", True)):
            rows = visible_text((await browser.get(f"{path}?{query}")).text.partition('<nav class="tabs"')[2])
            assert ("on the waitlist" in rows) == in_rows
        async with site.db.transaction() as tx:
            await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        assert "a place is held" in visible_text((await browser.get(f"{path}?tab=waiting")).text)


async def test_requests_say_how_often_people_came_instead_of_when_they_asked(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        past = await event_by(tx, ana, starts="2026-03-02T18:00", ends="2026-03-02T20:00")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, past.slug, RsvpReply.GOING)
        await event_hosting.change_registration_settings(tx, ana, event.slug, RegistrationSettings(needs_approval=True))
    clock.turn(7 * DAY)
    async with site.db.transaction() as tx:
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as browser:
        shown = visible_text((await browser.get(f"/events/{event.slug}/attendees?tab=asking")).text)
    assert "Said yes to your last event" in shown
    assert "now" not in shown.partition("Ben")[2].partition("Approve")[0]


async def test_people_learn_why_they_cannot_bring_anybody(make_sqlite, clock):
    """The form asks how many people come only while there are places for more."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        full, roomy = await event_by(tx, ana, capacity="1"), await event_by(tx, ana, capacity="2")
        for event in (full, roomy):
            await event_hosting.change_registration_settings(tx, ana, event.slug, RegistrationSettings(max_party=2))
            await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with signed_in(site, ben.user_id) as browser:
        for event, is_told in ((full, True), (roomy, False)):
            shown = (await browser.get(f"/events/{event.slug}/answer")).text
            assert ("you can’t bring anybody now" in shown, 'name="party"' in shown) == (is_told, not is_told)


async def test_the_waitlist_has_a_button_that_gives_somebody_a_place(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, cleo, dora = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora")]
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo, dora):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
    path = f"/events/{event.slug}/attendees"
    async with signed_in(site, ana.user_id) as browser:

        async def press(name: str) -> str:
            shown = (await browser.get(f"{path}?tab=waiting")).text
            (button,) = re.findall(
                rf'name="only" value="([^"]+)" type="submit" aria-label="Give {name} a place"', shown
            )
            answer = await browser.post(path, data={"tab": "waiting", "only": button})
            return visible_text((await browser.get(answer.headers["location"])).text)

        assert "this person is first on the waitlist now. Raise the limit to let them in." in await press("Dora")
        async with site.db.transaction() as tx:
            await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
        assert "1 person got a place." in await press("Dora")
        assert "Dora" in (await browser.get(f"{path}?tab=going")).text
        wrong = await browser.post(path, data={"tab": "waiting", "act": "promote", "who": "x"})
        assert (wrong.status_code, "approve, place, remove" in wrong.text) == (400, True)
