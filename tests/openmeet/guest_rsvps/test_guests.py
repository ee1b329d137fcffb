"""RSVPs by e-mail, without an account."""

import dataclasses
import re

import pytest

from groundwork.clock import DAY, HOUR
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import attendee_list, event_hosting, queries, registration
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpReply
from openmeet.domain.events import co_host_queries, co_hosts
from openmeet.domain.events.co_host_invitations import CoHostState
from openmeet.domain.groups import administration, invitation_queries
from openmeet.domain.guest_rsvps import actions
from openmeet.domain.guest_rsvps.actions import forget_addresses
from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.emails.notifications.email import notification_composer
from openmeet.emails.render import EmailContext
from openmeet.emails.rsvp_confirmation import confirmed_composer
from openmeet.emails.unsubscribe import EVERYTHING, stop
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.publishing import eligibility
from openmeet.network.publishing.decision import WithholdOrRetract
from openmeet.outbox import publication_queries
from openmeet.outbox.emails import DueEmail, due_email_of
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.groups.people import group_by
from tests.openmeet.guest_rsvps.guest_emails import compose_guest_emails, confirmation_link_in, send_guest_answer
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, event_by, h1_of, person, sign_up, site_on

S = AttendanceStatus


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def event(site):
    async with site.db.transaction() as tx:
        return await event_by(tx, await person(tx, "Ana"), capacity="2")


def buttons_of(html):
    return re.findall(
        r'<button class="button[^>]*>([^<]+)</button>', html.partition("<main")[2].partition("</main>")[0]
    )


async def answers(site, event):
    async with site.db.reader() as reader:
        return await attendee_list.attendees(reader, event.id, list(S), limit=9, for_hosts=True)


async def test_one_link_confirms_and_another_changes_the_answer(site, event):
    """Opening the link changes nothing; pressing the button confirms the answer. Afterwards the answer has its own page
    that needs no sign-in.
    """
    async with site.browser() as browser:
        asked = await send_guest_answer(browser, event)
        assert asked.status_code == 303
        # The page names the address, so that people see if they mistyped it.
        assert "We sent a link to eve@example.org." in (await browser.get(asked.headers["location"])).text
        async with site.browser() as other:
            assert "eve@example.org" not in (await other.get(asked.headers["location"])).text
        assert await answers(site, event) == []
        (letter,) = await compose_guest_emails(site)
        path = confirmation_link_in(letter)
        shown = await browser.get(path)
        assert (shown.status_code, h1_of(shown.text)) == (200, "Confirm your answer")
        assert await answers(site, event) == []
        confirmed = await browser.post(path)
        (one,) = await answers(site, event)
        assert (one.display_name, one.status, one.is_guest, one.is_private) == ("Eve", S.ATTENDING, True, True)
        mine = confirmed.headers["location"]
        assert "You’re going." in (await browser.get(mine)).text
        shown = (await browser.get(mine)).text
        ticket = re.search(r'href="(/mail/ticket/[^"]+)"', shown)[1]
        assert "<svg" in (await browser.get(ticket)).text
        assert f'href="/events/{event.slug}"' in shown
        assert f'href="/events/{event.slug}/share#into-calendar"' in shown
        await browser.post(mine, data={"reply": "declined"})
        assert [one.status for one in await answers(site, event)] == [S.DECLINED]
        # Using the first link again shows the answer without repeating it.
        assert (await browser.post(path)).headers["location"] == mine
        assert [one.status for one in await answers(site, event)] == [S.DECLINED]


async def test_buttons_say_what_the_answer_leads_to(site, event):
    """Both the form and the page of the link say "Join waitlist" if the event is full, even if it was not full when the
    e-mail was sent. A closed event takes no confirmation.
    """
    async with site.browser() as browser:
        form = f"/events/{event.slug}/guest-answer"
        assert buttons_of((await browser.get(form)).text) == ["I’m going", "Maybe"]
        await send_guest_answer(browser, event)
        link = confirmation_link_in((await compose_guest_emails(site))[0])
        assert buttons_of((await browser.get(link)).text) == ["Yes, I’m going"]
        async with site.db.transaction() as tx:
            for name in ("Ben", "Cleo"):
                await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
        shown = (await browser.get(form)).text
        assert "Full. Nobody is on the waitlist yet." in shown
        assert buttons_of(shown) == ["Join waitlist", "Maybe"]
        assert buttons_of((await browser.get(link)).text) == ["Join waitlist"]
        mine = (await browser.post(link)).headers["location"]
        waiting = (await browser.get(mine)).text
        assert ("Stay on the waitlist" in waiting, "Join waitlist" in waiting) == (True, False)
        assert buttons_of((await browser.get(link)).text) == ["Show my answer"]
        await send_guest_answer(browser, event, "fay@example.org")
        letter = (await compose_guest_emails(site))[-1]
        assert letter.text.startswith("You asked for a place at ")
        link = confirmation_link_in(letter)
        async with site.db.transaction() as tx:
            host = Caller(event.author_id, "Ana")
            closed = registration.RegistrationSettings(closes_hours_before=10_000)
            await event_hosting.change_registration_settings(tx, host, event.slug, closed)
        shown = (await browser.get(link)).text
        assert buttons_of(shown) == []
        assert "closed" in shown


async def test_the_address_is_sent_to_confirmed_guests(site, clock):
    """The address is on the guest's page and in an e-mail. People on the waitlist do not get it."""
    secret = {"place_audience": "attendees", "street": "Geheimgasse 7", "door_note": "Ring twice"}
    online = {"mode": "hybrid", "online_url": "https://meet.example/room", "door_audience": "attendees"}
    compose = confirmed_composer(EmailContext(CODE_KEY, "OpenMeet", ORIGIN))
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), capacity="1", **secret, **online)
    shown = {}
    for who in ("eve", "fay"):
        async with site.browser() as browser:
            await send_guest_answer(browser, event, email=f"{who}@example.org", mode="in_person")
            letter = next(one for one in await compose_guest_emails(site) if one.to == f"{who}@example.org")
            mine = (await browser.post(confirmation_link_in(letter))).headers["location"]
            async with site.db.reader() as reader:
                rows = await reader.fetch(
                    "select subject, revision from outbox_jobs where subject like 'guest_confirmed%'"
                )
                known = await guests.by_email(reader, f"{who}@example.org")
            queued = [due_email_of(type("Row", (), dict(row))()) for row in rows]
            (due,) = [one for one in queued if one.person == known]
            shown[who] = [(await browser.get(mine)).text, await compose(site.db, due)]
            if who == "eve":
                ticket = re.search(r'href="(/mail/ticket/[^"]+)"', shown[who][0])[1]
                shown[who].append((await browser.get(ticket)).text)
    page, letter, ticket = shown["eve"]
    secrets = ("Geheimgasse 7", "Ring twice", "https://meet.example/room")
    for text in (page, letter.text, ticket):
        assert [secret for secret in secrets if secret not in text] == []
    assert b"Geheimgasse 7" in letter.calendar.content
    assert "/mail/answer/" in letter.text
    page, letter = shown["fay"]
    for text in (page, letter.text, letter.calendar.content.decode()):
        assert [secret for secret in secrets if secret in text] == []
    assert "on the waitlist" in letter.text
    async with site.db.transaction() as tx:
        await event_hosting.cancel(tx, Caller(event.author_id, "Ana"), event.slug, "Rain")
    assert await compose(site.db, due) is None


async def test_known_and_unknown_addresses_are_treated_alike(site, event):
    async with site.browser() as browser:
        unknown = await send_guest_answer(browser, event)
        known = await send_guest_answer(browser, event, email="ana@example.org")
    assert (unknown.status_code, unknown.headers["location"]) == (known.status_code, known.headers["location"])
    first, second = await compose_guest_emails(site)
    assert {first.to, second.to} == {"eve@example.org", "ana@example.org"}
    strip = re.compile(r"/(confirm|never)/\S+")
    assert strip.sub("", first.text) == strip.sub("", second.text)


async def test_a_guest_with_an_account_answers_as_that_account(site, event):
    async with site.browser() as browser:
        await send_guest_answer(browser, event, email="ana@example.org", display_name="Not Ana")
        (letter,) = await compose_guest_emails(site)
        await browser.post(confirmation_link_in(letter))
    (one,) = await answers(site, event)
    assert (one.display_name, one.is_guest) == ("Ana", False)


async def test_a_guest_who_signs_up_later_has_their_answer(site, event):
    async with site.browser() as browser:
        await send_guest_answer(browser, event)
        (letter,) = await compose_guest_emails(site)
        await browser.post(confirmation_link_in(letter))
        await sign_up(browser, "eve@example.org", "Eve")
        page = (await browser.get(f"/events/{event.slug}/answer")).text
    assert "You’re going." in page
    async with site.db.reader() as reader:
        user = await by_email(reader, "eve@example.org")
        assert await guests.by_email(reader, "eve@example.org") is None
        assert (await queries.find(reader, event.id, user.id)).is_private


async def test_a_guest_who_stopped_e_mails_gets_those_of_a_host_after_signing_up(site, event):
    """They stopped e-mails about their answers. Topics that guests have no e-mails about keep their defaults."""
    async with site.browser() as browser:
        await send_guest_answer(browser, event)
        (letter,) = await compose_guest_emails(site)
        await browser.post(confirmation_link_in(letter))
        async with site.db.transaction() as tx:
            guest = await guests.by_email(tx, "eve@example.org")
            await stop(tx, EmailLink(guest, LinkPurpose.UNSUBSCRIBE, EVERYTHING))
        await sign_up(browser, "eve@example.org", "Eve")
    async with site.db.reader() as reader:
        user = await by_email(reader, "eve@example.org")
        channels = await preferences.of_person(reader, user.id)
    by_mail = {topic for topic, chosen in channels.items() if chosen & {Channel.EMAIL, Channel.DIGEST}}
    assert {NotificationTopic.REQUESTS, NotificationTopic.MEMBERSHIP, NotificationTopic.GROUP_EVENTS} <= by_mail
    assert not by_mail & {NotificationTopic.CHANGES, NotificationTopic.REMINDERS, NotificationTopic.OWN_ANSWERS}


async def test_guests_are_told_of_a_cancellation_and_never_published(site, event):
    async with site.browser() as browser:
        await send_guest_answer(browser, event)
        (letter,) = await compose_guest_emails(site)
        await browser.post(confirmation_link_in(letter))
    async with site.db.transaction() as tx:
        (one,) = await attendee_list.attendees(tx, event.id, [S.ATTENDING], limit=9, for_hosts=True)
        await event_hosting.cancel(tx, Caller(event.author_id, "Ana"), event.slug, "Rain")
        row = await tx.fetch_one(
            "select subject, revision from outbox_jobs where subject like :about", about=f"notification%{one.user_id}%"
        )
    compose = notification_composer(EmailContext(CODE_KEY, "OpenMeet", ORIGIN))
    kind, person_id, subject_id = row["subject"].split("\x1f")
    news = await compose(site.db, DueEmail(kind, person_id, subject_id, row["revision"]))
    assert (news.to, news.subject) == ("eve@example.org", "Cancelled: Board games, Sat 4 Jul")
    assert "/settings/" not in news.text + news.html, "a person without an account has no settings"
    async with site.db.reader() as reader:
        queued = await publication_queries.find(reader, PublicationKind.RSVP, one.attendance_id)
        assert isinstance(await eligibility.decide(reader, queued, Switchboard()), WithholdOrRetract)


async def test_links_expire_and_forged_ones_are_refused(site, event, clock):
    async with site.browser() as browser:
        await send_guest_answer(browser, event)
        (letter,) = await compose_guest_emails(site)
        link = confirmation_link_in(letter)
        path = link.partition("?")[0]
        assert (await browser.post(path[:-1] + ("0" if path[-1] != "0" else "1"))).status_code == 404
        assert (await browser.get("/answers/confirm/nonsense")).status_code == 404
        clock.turn(DAY)
        assert (await browser.post(path)).status_code == 404
        for answer in (await browser.get(link), await browser.post(link)):
            assert (answer.status_code, h1_of(answer.text)) == (404, "Answer by e-mail")
            assert "This link no longer works. Answer again, and we’ll send you a new one." in answer.text
            assert f'action="/events/{event.slug}/guest-answer"' in answer.text
            assert answer.headers["cache-control"] == "no-store"
    assert await compose_guest_emails(site) == []
    assert await actions.forget_expired(site.db) == 1
    assert await answers(site, event) == []


async def test_e_mails_are_limited_per_address_and_client(site, event):
    async with site.browser() as browser:
        asked = [(await send_guest_answer(browser, event)).status_code for _ in range(6)]
        others = [(await send_guest_answer(browser, event, email=f"e{n}@example.org")).status_code for n in range(16)]
    assert asked == [303] * 5 + [429]
    assert others == [303] * 14 + [429] * 2


async def test_an_address_gets_at_most_twenty_e_mails_a_day(site, event, clock):
    """The limit counts all requests for an address, whoever sends them."""
    async with site.browser() as browser:
        statuses = []
        for _ in range(23):
            statuses += [(await send_guest_answer(browser, event)).status_code for _ in range(2)]
            clock.turn(HOUR)
    assert statuses == [303] * 20 + [429] * 26


async def test_input_is_kept_if_something_is_invalid(site, event):
    async with site.browser() as browser:
        answer = await send_guest_answer(browser, event, email="nonsense", display_name="Eve Long")
    assert answer.status_code == 400
    assert 'value="nonsense"' in answer.text
    assert 'value="Eve Long"' in answer.text


async def test_private_events_and_those_that_exclude_guests_accept_none(site):
    async with site.db.transaction() as tx:
        hidden = await event_by(tx, await person(tx, "Ana"), visibility="private")
    async with site.browser() as browser:
        assert (await send_guest_answer(browser, hidden)).status_code == 404


async def test_a_link_adds_no_guest_once_the_host_excludes_them(site, event):
    """Somebody with an account can still confirm with such a link."""
    async with site.browser() as browser:
        await send_guest_answer(browser, event)
        (letter,) = await compose_guest_emails(site)
        async with site.db.transaction() as tx:
            settings = await registration.settings_of(tx, event)
            await registration.put(tx, event.id, dataclasses.replace(settings, takes_guests=False))
        assert (await browser.post(confirmation_link_in(letter))).status_code == 422
        assert await answers(site, event) == []
        async with site.db.transaction() as tx:
            assert await by_email(tx, "eve@example.org") is None
            await person(tx, "Eve")
        await browser.post(confirmation_link_in(letter))
    assert [one.is_guest for one in await answers(site, event)] == [False]


async def test_a_guest_answers_by_api_and_confirms_by_email(site, event):
    async with site.browser() as browser:
        body = {"email": "eve@example.org", "displayName": "Eve", "reply": "going"}
        asked = await browser.post(f"/api/events/{event.slug}/guest-answers", json=body)
        assert asked.status_code == 202
        (letter,) = await compose_guest_emails(site)
        await browser.post(confirmation_link_in(letter))
    assert [one.status for one in await answers(site, event)] == [S.ATTENDING]


def test_tokens_are_for_one_answer():
    one, other = "019f2da4-c180-70b1-a9a8-01d1e6ab3cc1", "019f2da4-c180-70b1-a9a8-01d1e6ab3cc2"
    token = actions.token_of(CODE_KEY, one)
    assert actions.rsvp_id_of_token(CODE_KEY, token) == one
    assert actions.rsvp_id_of_token(CODE_KEY, token.replace(one, other)) is None
    assert actions.rsvp_id_of_token(SigningKey(b"x" * 32), token) is None


async def test_unused_addresses_are_deleted(make_database, clock):
    """Hosts still see the names. The addresses of guests with a later event and of people who declined a group are
    kept.
    """
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Other Ben")
        event = await event_by(tx, ana)
        later = await event_by(tx, ana, starts="2026-12-04T18:00", ends="2026-12-04T20:00")
        people = {}
        for name, at in (("Eve", [event]), ("Fay", [event, later])):
            email = f"{name.lower()}@example.org"
            people[name] = await guests.find_or_make(tx, email=email, display_name=name)
            for one in at:
                caller = Caller(people[name], name)
                await attendance.answer(tx, caller, one.slug, RsvpReply.GOING, ReplyDetails(is_private=True))
        group = await group_by(tx, ana)
        await administration.invite_by_mail(tx, CODE_KEY, ana, group.slug, "gus@example.org, hal@example.org")
        no, _ = sorted(
            await invitation_queries.open_invitations(tx, group.id), key=lambda one: one.email == "gus@example.org"
        )
        await administration.decline(tx, CODE_KEY, no.id)
        await co_hosts.invite(tx, ana, event.slug, "ida@example.org")
        yes = await co_hosts.invite(tx, ana, event.slug, "other.ben@example.org")
        await co_hosts.accept(tx, ben, yes.id)

    async def known() -> set[str]:
        async with db.reader() as reader:
            rows = [
                *await reader.fetch("select email from guests order by user_id"),
                *await reader.fetch("select email from group_invitations order by id"),
                *await reader.fetch("select email from event_co_hosts order by id"),
            ]
        return {row["email"].split("@")[0] for row in rows if row["email"]}

    # Addresses of people who declined are stored as hashes from the start.
    everybody = {"eve", "fay", "gus", "ida", "other.ben"}
    assert await forget_addresses(db, 90) == 0
    assert await known() == everybody
    clock.turn(event.ends_at + 89 * DAY - clock.now())
    assert await forget_addresses(db, 0) == 0
    await forget_addresses(db, 90)
    assert await known() == {"eve", "fay"}
    clock.turn(2 * DAY)
    assert await forget_addresses(db, 90) == 1
    assert await known() == {"fay"}
    async with db.reader() as reader:
        kept = await queries.find(reader, event.id, people["Eve"])
        assert kept.status is S.ATTENDING
        assert (await user_by_id(reader, people["Eve"])).display_name == "Eve"
        assert [one.user_id for one in await co_host_queries.of_event(reader, event.id, list(CoHostState))] == [
            ben.user_id
        ]
