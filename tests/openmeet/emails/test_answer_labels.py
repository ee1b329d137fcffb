"""The answer bar says the same in every channel: on the page, in lists, in e-mails and in the JSON API."""

import re
from html import unescape

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event
from tests.openmeet.emails.conftest import Post, text_of
from tests.openmeet.site_under_test import api_session, details, event_by, person, signed_in

# The label of "going" for Ben, by the title of the event. An invitation is an approval.
_LABELS = {"Open": "I’m going", "By approval": "I’m going", "Full": "Join waitlist", "Moved": "Still works"}


async def _events(post: Post) -> dict[str, Event]:
    """Events of Ana by title. Ben is going to the moved one, and is invited to the others."""
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        events = {
            title: await event_by(tx, ana, title=title, capacity="1" if title == "Full" else "") for title in _LABELS
        }
        await event_hosting.change_registration_settings(
            tx, ana, events["By approval"].slug, RegistrationSettings(needs_approval=True)
        )
        await attendance.answer(tx, cleo, events["Full"].slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, events["Moved"].slug, RsvpReply.GOING)
        for title in ("Open", "By approval", "Full"):
            await invitations.invite(tx, ana, events[title].slug, "ben@example.org")
        moved = details(title="Moved", starts="2026-07-05T19:00", ends="2026-07-05T21:00")
        await event_hosting.revise(tx, ana, events["Moved"].slug, moved)
        return events


def _buttons(html: str) -> list[str]:
    bar = html.partition('class="answer-buttons"')[2].partition("</section>")[0]
    return [unescape(one) for one in re.findall(r'<button class="button[^>]*name="reply"[^>]*>([^<]+)</button>', bar)]


async def test_buttons_in_e_mails_are_those_of_the_page(post: Post) -> None:
    events = await _events(post)
    mails = [text_of(one) for one in await post.deliver() if one["To"] == "ben@example.org"]
    async with post.db.reader() as reader:
        (ben,) = await reader.fetch("select id from users where email = 'ben@example.org'")
    async with signed_in(post.site, ben["id"]) as browser, post.site.browser() as app:
        who = await api_session(app, "ben@example.org", "Ben")
        for title, event in events.items():
            on_page = _buttons((await browser.get(f"/events/{event.slug}")).text)
            (mail,) = [one for one in mails if f"/events/{event.slug}\n" in one]
            in_mail = re.findall(r"^(.+): http\S+\?reply=", mail, re.MULTILINE)
            (in_api, *_) = (await app.get(f"/api/events/{event.slug}", headers=who)).json()["answerLabels"]
            assert on_page[0] == in_mail[0] == in_api == _LABELS[title]
            assert set(on_page) <= set(in_mail)


async def test_state_in_the_api_and_in_lists_is_that_of_the_page(post: Post) -> None:
    events = await _events(post)
    badges = dict.fromkeys(_LABELS, "You’re invited") | {"Moved": "You’re going, new time"}
    async with post.site.browser() as browser:
        states = []
        for name in ("Ben", "Dora"):
            who = await api_session(browser, f"{name.lower()}@example.org", name)
            found = (await browser.get("/api/events", headers=who)).json()["events"]
            states.append({one["title"]: one["answerState"] for one in found})
    assert states == [
        {"Open": "invited", "By approval": "invited", "Full": "invited", "Moved": "moved"},
        {"Open": "open", "By approval": "approval", "Full": "full", "Moved": "open"},
    ]
    async with post.db.reader() as reader:
        (ben,) = await reader.fetch("select id from users where email = 'ben@example.org'")
    async with signed_in(post.site, ben["id"]) as browser:
        cards = (await browser.get("/")).text.split('class="event-card')
        for title, event in events.items():
            (card,) = [one for one in cards[1:] if f'href="/events/{event.slug}"' in one]
            assert badges[title] in unescape(card.partition("</li>")[0])
            assert badges[title] in unescape((await browser.get(f"/events/{event.slug}")).text)


async def test_labels_in_the_api_are_in_the_language_of_the_caller(post: Post) -> None:
    async with post.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Open")
    async with post.site.browser() as browser:
        for language, labels in {"en": ["I’m going", "Maybe"], "de": ["Ich komme", "Vielleicht"]}.items():
            response = await browser.get(f"/api/events/{event.slug}", headers={"accept-language": language})
            assert response.json()["answerLabels"] == labels


async def test_first_label_in_the_api_is_the_first_button_of_the_page(post: Post) -> None:
    """Also where the button is a link, such as “Message the host” once answers are closed."""
    events = await _events(post)
    async with post.db.transaction() as tx:
        dan = await person(tx, "Dan")
        events["Closed"] = await event_by(tx, dan, title="Closed")
        closed = RegistrationSettings(closes_hours_before=24 * 365)
        await event_hosting.change_registration_settings(tx, dan, events["Closed"].slug, closed)
        rows = await tx.fetch("select id, display_name from users")
    ids = {row["display_name"]: row["id"] for row in rows}
    for name in ("", "Ana", "Ben"):
        async with signed_in(post.site, ids[name]) if name else post.site.browser() as browser:
            buttons = {
                title: _first_button((await browser.get(f"/events/{event.slug}")).text)
                for title, event in events.items()
            }
        assert buttons["Closed"] == "Message the host"
        async with post.site.browser() as app:
            who = await api_session(app, f"{name.lower()}@example.org", name) if name else {}
            found = (await app.get("/api/events", headers=who)).json()["events"]
        assert {one["title"]: one["answerLabels"][0] for one in found} == buttons


def _first_button(html: str) -> str:
    bar = html.partition('class="answer-buttons"')[2]
    (label,) = re.findall(r'^\s*<(?:a|button) class="button[^>]*>(?:<svg.*?</svg>)?([^<]+)<', bar.partition(">")[2])
    return unescape(label).strip()
