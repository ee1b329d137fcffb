"""The event page describes the viewer's answer correctly, also for cancelled events and optional questions."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from groundwork.clock import HandClock, from_datetime
from groundwork.errors import InvalidForm
from openmeet.domain.attendance import actions, event_hosting, registration
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.identities.model import NOT_ASKED
from openmeet.domain.validation import GeneralReason
from openmeet.outbox import publications
from openmeet.web.attendance.forms import AnswerFields, reply_details_of
from openmeet.web.events.answer_view import AnswerSharing, SharingState, sharing_of
from tests.databases import MakeDatabase
from tests.openmeet.attendance.network_answers import apply_network_answer
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import Site, details, event_by, person, sign_up, signed_in, site_on

OPTIONAL = RegistrationQuestion("q1", "Do you bring a lantern?")
REQUIRED = RegistrationQuestion("q2", "What do you eat?", is_required=True)


async def test_a_cancelled_event_shows_no_held_place_or_waitlist(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The event page and the list of one's own events show neither."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as host, site.browser() as first, site.browser() as second, site.browser() as third:
        await sign_up(host, "hanna@example.org", "Hanna")
        made = await host.post(
            "/events/new", data={"title": "Walk", "starts": "2026-07-04T18:00", "time_zone": "UTC", "capacity": "1"}
        )
        walk = made.headers["location"].partition("?")[0]
        for number, browser in enumerate((first, second, third)):
            await sign_up(browser, f"guest{number}@example.org", "Guest")
            await browser.post(f"{walk}/answer", data={"reply": "going"})
        # An attendee gives up their place, which is then offered to the second person.
        await first.post(f"{walk}/answer", data={"reply": "declined"})
        assert "A place is held for you" in (await second.get(walk)).text
        assert "On the waitlist" in (await third.get(walk)).text
        cancelled = await host.post(f"{walk}/cancel", data={"reason": "Storm"})
        said = (await host.get(cancelled.headers["location"])).text
        assert "everyone who was going, said maybe or was waiting" in said
        for browser, words in ((second, "You were on the waitlist"), (third, "You were on the waitlist")):
            page = (await browser.get(walk)).text
            assert f"{words}.</h2>" in page
            assert not [one for one in ("held for you", "before you", "next on the waitlist") if one in page]
            assert ("Who was going" in page, "Add to calendar" in page) == (True, False)
        assert "held for you" not in (await second.get("/my/events?tab=waiting")).text


async def test_sharing_is_offered_only_before_the_event(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Not for an answer to an event that was cancelled or is over, or that has no record."""
    offer = "Share it with other apps?"
    async with offline_publishing(clock) as publishing:
        site = site_on(await make_sqlite("openmeet", clock=clock), clock, publishing=publishing)
        async with site.browser() as host, site.browser() as guest:
            await sign_up(host, "hanna@example.org", "Hanna")
            await sign_up(guest, "gil@example.org", "Gil")
            walks = []
            for day in (10, 11):
                made = await host.post(
                    "/events/new",
                    data={
                        "title": f"Walk {day}",
                        "starts": f"2026-03-{day}T18:00",
                        "time_zone": "UTC",
                        "submission": f"w{day}",
                    },
                )
                walks.append(made.headers["location"].partition("?")[0])
                await guest.post(f"{walks[-1]}/answer", data={"reply": "going"})
                assert offer not in (await guest.get(walks[-1])).text
                await _give_record(site, walks[-1])
                assert offer in (await guest.get(walks[-1])).text
            await host.post(f"{walks[0]}/cancel", data={"reason": "Storm"})
            assert offer not in (await guest.get(walks[0])).text
            clock.turn(from_datetime(datetime(2026, 3, 12, tzinfo=UTC)) - clock.now())
            over = (await guest.get(walks[1])).text
            assert ("You were going" in over, offer in over) == (True, False)


async def test_an_answer_whose_record_is_still_there_is_not_offered_for_sharing(make_sqlite: MakeDatabase) -> None:
    """Somebody declined, and the record of the earlier answer is still shared: only the next answer could be chosen."""
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        host, guest = await person(tx, "Hanna"), await person(tx, "Gil")
        event = await event_by(tx, host)
        declined = await actions.answer(tx, guest, event.slug, RsvpReply.DECLINED)
        agreement = replace(NOT_ASKED, is_given=True, handle="gil.test")
        for has_record, state in ((False, SharingState.CHOOSE), (True, SharingState.GIVEN)):
            sharing = await sharing_of(tx, event, declined, guest.user_id, agreement, has_record=has_record)
            assert sharing == AnswerSharing(state, "gil.test")


async def _give_record(site: Site, path: str) -> None:
    async with site.db.transaction() as tx:
        event = await by_slug(tx, EventSlug(path.rpartition("/")[2]))
        assert event is not None
        await publications.create_for_foreign_record(
            tx,
            publications.PublicationKind.EVENT,
            event.id,
            user_id=event.author_id,
            revision=event.revision,
            record_uri=f"at://did:plc:{'h' * 24}/community.lexicon.calendar.event/{event.id}",
        )


async def test_cancelling_an_unanswered_event_notifies_nobody(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as host:
        await sign_up(host, "hanna@example.org", "Hanna")
        made = await host.post("/events/new", data={"title": "Walk", "starts": "2026-07-04T18:00", "time_zone": "UTC"})
        walk = made.headers["location"].partition("?")[0]
        cancelled = await host.post(f"{walk}/cancel", data={"reason": ""})
        assert "nobody gets a notification" in (await host.get(cancelled.headers["location"])).text


async def test_optional_questions_are_asked_after_the_click(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The page tells signed-out visitors about questions only if one of them is required."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    lantern = await _asking(site, OPTIONAL)
    meal = await _asking(site, REQUIRED)
    async with site.browser() as stranger:
        assert "come back here and answer the questions" not in (await stranger.get(lantern)).text
        assert "come back here and answer the questions" in (await stranger.get(meal)).text
    async with site.browser() as guest:
        await sign_up(guest, "guest@example.org", "Guest")
        assert "Answer Hanna’s questions" not in (await guest.get(lantern)).text
        await guest.post(f"{lantern}/answer", data={"reply": "going"})
        assert "Answer Hanna’s questions" in (await guest.get(lantern)).text
        await guest.post(f"{lantern}/answer", data={"whole": "yes", "reply": "going", "q1": "Two"})
        page = (await guest.get(lantern)).text
        assert "Answer Hanna’s questions" not in page
        assert "asks everyone who comes" not in page
        await guest.post(f"{lantern}/answer", data={"reply": "declined"})
        assert "Answer Hanna’s questions" not in (await guest.get(lantern)).text


async def test_options_say_which_parties_would_wait(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """With one free place, two people would wait. Somebody who already has the other places is not offered more."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        hanna, ben, cleo, dora = [await person(tx, name) for name in ("Hanna", "Ben", "Cleo", "Dora")]
        event = await event_by(tx, hanna, capacity="3")
        await event_hosting.change_registration_settings(tx, hanna, event.slug, RegistrationSettings(max_party=3))
    path = f"/events/{event.slug}"
    async with signed_in(site, ben.user_id) as guest, signed_in(site, cleo.user_id) as other:
        assert _parties((await other.get(path)).text) == ["Only me", "2 people", "3 people"]
        await guest.post(f"{path}/answer", data={"reply": "going", "party": "2"})
        waits = ["Only me", "2 people, on the waitlist", "3 people, on the waitlist"]
        assert _parties((await other.get(path)).text) == waits
        assert _parties((await other.get(f"{path}/answer")).text) == waits
        assert _parties((await guest.get(path)).text) == ["Only me", "2 people", "3 people"]
        await other.post(f"{path}/answer", data={"reply": "going", "party": "1"})
        assert _parties((await guest.get(f"{path}/answer")).text) == ["Only me", "2 people"]
        assert _parties((await other.get(f"{path}/answer")).text) == []
    async with signed_in(site, hanna.user_id) as host:
        # Her bar has other buttons, to which the number of people would not belong.
        assert _parties((await host.get(path)).text) == []
        offered = _parties((await host.get(f"{path}/joining")).text, "max_party")
        assert offered == ["Everyone answers for themselves", "Up to 2 people", "Up to 3 people"]
    async with signed_in(site, dora.user_id) as late:
        # Everybody waits, so the button says it.
        assert _parties((await late.get(path)).text) == ["Only me", "2 people", "3 people"]


def _parties(page: str, field: str = "party") -> list[str]:
    found = re.search(rf'<select id="{field}".*?</select>', page, re.DOTALL)
    return re.findall(r"<option[^>]*>([^<]+)<", found[0]) if found else []


async def test_people_see_their_own_private_answer_in_the_list(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """So they are not counted among those who are not shown. The same is true for their own request to join. Other people
    are not told how many requests there are.
    """
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        hanna, ben, cleo = [await person(tx, name) for name in ("Hanna", "Ben", "Cleo")]
        event = await event_by(tx, hanna)
        await event_hosting.change_registration_settings(tx, hanna, event.slug, RegistrationSettings(max_party=2))
        asking = await event_by(tx, hanna)
        settings = RegistrationSettings(max_party=2, needs_approval=True)
        await event_hosting.change_registration_settings(tx, hanna, asking.slug, settings)
    details = {"whole": "yes", "reply": "going", "party": "2", "is_private": "yes"}
    async with signed_in(site, ben.user_id) as guest, signed_in(site, cleo.user_id) as other:
        for each in (event, asking):
            await guest.post(f"/events/{each.slug}/answer", data=details)
            page = (await guest.get(f"/events/{each.slug}")).text
            assert "Ben (you)" in page
            assert "aren’t shown" not in page
            page = (await other.get(f"/events/{each.slug}")).text
            assert "Ben" not in page
            assert ("2 who aren’t shown" in page) is (each is event)
            assert "Waiting for the host’s answer" not in page


async def _asking(site: Site, question: RegistrationQuestion) -> str:
    """Create an event whose host asks this question. Return the path of its page."""
    async with site.db.transaction() as tx:
        hanna = await person(tx, "Hanna")
        event = await event_by(tx, hanna, title="Walk")
        await event_hosting.change_registration_settings(
            tx, hanna, event.slug, RegistrationSettings(questions=(question,))
        )
    return f"/events/{event.slug}"


async def test_changed_details_are_confirmed_although_the_answer_stays(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    """The same answer again changes nothing, and with more people it does."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        walk = await event_by(tx, ana)
        await event_hosting.change_registration_settings(tx, ana, walk.slug, RegistrationSettings(max_party=3))
    said = []
    async with signed_in(site, ben.user_id) as browser:
        for typed in ({}, {}, {"party": "2", "whole": "1"}):
            answered = await browser.post(f"/events/{walk.slug}/answer", data={"reply": "going", **typed})
            page = await browser.get(answered.headers["location"])
            said.append(("Nothing was changed." in page.text, "Saved." in page.text))
    assert said == [(False, False), (True, False), (False, True)]


async def test_the_list_of_dates_says_what_an_answer_changed(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """As the page of the event does: changing only the number of people makes nobody newly "going"."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        hanna, ben = [await person(tx, name) for name in ("Hanna", "Ben")]
        event = await event_by(tx, hanna)
        await event_hosting.change_registration_settings(tx, hanna, event.slug, RegistrationSettings(max_party=3))
    async with signed_in(site, ben.user_id) as guest:
        for more in ({}, {"series": "walks", "in_list": "yes"}):
            await guest.post(f"/events/{event.slug}/answer", data={"reply": "declined"})
            for party, words in (("1", "You’re going."), ("2", "Saved."), ("2", "Nothing was changed.")):
                answer = {"reply": "going", "party": party, **more}
                await guest.post(f"/events/{event.slug}/answer", data=answer)
                assert words in _flash((await guest.get("/my/events")).text)


def _flash(page: str) -> str:
    return page.partition('<div class="flash"')[2].partition("</div>")[0]


async def test_only_a_yes_confirms_the_new_time(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    confirmed = "You’ve confirmed the new time."
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
    path = f"/events/{event.slug}"
    async with signed_in(site, ben.user_id) as browser:

        async def flash_after(starts: str, reply: str) -> str:
            async with site.db.transaction() as tx:
                later = details(starts=starts, ends="2026-07-09T20:00")
                await event_hosting.revise(tx, ana, event.slug, later)
            answered = await browser.post(f"{path}/answer", data={"reply": reply})
            return (await browser.get(answered.headers["location"])).text

        await browser.post(f"{path}/answer", data={"reply": "declined"})
        assert confirmed not in await flash_after("2026-07-05T18:00", "declined")
        await browser.post(f"{path}/answer", data={"reply": "going"})
        assert confirmed in await flash_after("2026-07-06T18:00", "going")


async def test_the_own_answer_asks_about_a_new_time_like_the_event_page(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    """It confirms nothing before the person does."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    shown = []
    async with signed_in(site, ben.user_id) as guest:
        for starts in ("2026-07-04T18:00", "2026-07-06T18:00"):
            async with site.db.transaction() as tx:
                await event_hosting.revise(tx, ana, event.slug, details(starts=starts, ends="2026-07-09T20:00"))
            page = (await guest.get(f"/events/{event.slug}/answer")).text
            words = ("banner good", "banner hold", "Moved since you answered", "Save my answer", "Still works")
            shown.append([one for one in words if one in page])
    assert shown == [
        ["banner good", "Save my answer"],
        ["banner hold", "Moved since you answered", "Still works"],
    ]


async def test_an_unclear_answer_is_not_called_going(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Saving it would answer "going", which the person never said. Nobody who asked to come needs to say so again."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.UNCLEAR)
        assert (await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)).status is AttendanceStatus.PENDING
    for guest, saves in ((ben, False), (cleo, True)):
        async with signed_in(site, guest.user_id) as browser:
            assert ("Save my answer" in (await browser.get(f"/events/{event.slug}/answer")).text) is saves


def test_a_form_without_the_choice_leaves_it_to_the_stored_answer() -> None:
    """The form was read before the transaction that saves it. In between, the choice may change."""
    fields = AnswerFields((), asks_names=False, modes=(), questions=())
    assert [reply_details_of(form, fields).skips_record for form in ({}, {"share": ""}, {"share": "yes"})] == [
        None,
        True,
        False,
    ]


def test_an_unknown_way_to_take_part_is_answered_with_the_offered_ones() -> None:
    """By their labels, which are in the language of the page."""
    fields = AnswerFields(
        (), asks_names=False, modes=(("in_person", "Vor Ort", ""), ("online", "Online", "")), questions=()
    )
    with pytest.raises(InvalidForm) as wrong:
        reply_details_of({"mode": "by post"}, fields)
    assert wrong.value.problems == {"mode": GeneralReason.CHOOSE_ONE(choices="Vor Ort, Online")}
