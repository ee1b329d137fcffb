"""People removed from an invitation-only event are notified, without any detail that they may no longer see; on both
engines.
"""

import re
from dataclasses import replace
from datetime import datetime

import icalendar
import pytest

from groundwork.clock import HOUR, Instant
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.queries import find
from openmeet.domain.icalendar.write import WrittenEvent
from openmeet.emails.calendar_file import name_and_time_only
from openmeet.recurrence.pattern import Pattern
from tests.openmeet.emails.conftest import Post, calendar_of, html_of, links_of, text_of
from tests.openmeet.site_under_test import ORIGIN, api_session, details, event_by, person, signed_in

SECRETS = {"venue_name": "Zqplacezq", "street": "Zqstreetzq", "description": "Zqwordszq", "door_note": "Zqdoorzq"}


def tells(words: str) -> list[str]:
    """The secrets found in the text. Strings of two letters are ignored, because a token can contain them by chance."""
    return re.findall("zq[a-z]{4,13}zq", words.lower())


@pytest.fixture
async def supper(post: Post):
    """Ben goes to Ana's private supper and has the entry in his calendar."""
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Quiet supper", visibility="private", **SECRETS)
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    post.site.clock.turn(HOUR)
    await post.deliver()
    return ana, ben, event


async def remove(post: Post, ana, ben, event):
    async with post.db.transaction() as tx:
        mine = await find(tx, event.id, ben.user_id)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
        return mine


async def revised(post: Post, ana, event):
    """The supper is moved and renamed before the e-mail is sent."""
    async with post.db.transaction() as tx:
        later = {"starts": "2026-07-11T21:00", "ends": "2026-07-11T22:00"}
        await event_hosting.revise(
            tx, ana, event.slug, details(title="Zqlatertitlezq", visibility="private", **SECRETS, **later)
        )


async def test_the_e_mail_cancels_the_entry_and_reveals_nothing(post: Post, supper) -> None:
    ana, ben, event = supper
    await remove(post, ana, ben, event)
    await revised(post, ana, event)
    post.site.clock.turn(HOUR)
    (mail,) = [one for one in await post.deliver() if one["To"] == "ben@example.org"]
    assert mail["Subject"] == "No place: Quiet supper, Sat 4 Jul"
    for words in (text_of(mail), html_of(mail)):
        assert "The host has taken you off the list of this event." in words
        assert "Saturday 4 July, 18:00, Berlin time" in words
    assert not any("/events/" in link or "/mail/answer/" in link for link in links_of(mail))
    file = calendar_of(mail)
    assert file.get_param("method") == "CANCEL"
    (entry,) = icalendar.Calendar.from_ical(file.get_content()).walk("VEVENT")
    assert (str(entry["UID"]), str(entry["SUMMARY"])) == (f"{event.id}@{ORIGIN.split('//')[1]}", "Quiet supper")
    assert entry["DTSTART"].dt.isoformat() == "2026-07-04T18:00:00+02:00"
    assert {"LOCATION", "DESCRIPTION", "URL", "GEO", "COMMENT", "CATEGORIES"}.isdisjoint(entry)
    assert entry.subcomponents == []
    assert not any(tells(words) for words in (mail.as_string(), text_of(mail), html_of(mail), str(file.get_content())))
    assert await post.deliver() == []


def test_the_cancelled_entry_has_name_and_time_only() -> None:
    start = Pattern(datetime.fromisoformat("2026-07-04T18:00"), "UTC")
    entry = WrittenEvent("a@x", start, None, "Quiet supper", Instant(0), is_cancelled=True, sequence=3)
    said = {"description": "Zq", "location": "Zq", "url": "Zq", "comment": "Zq", "categories": ("Zq",)}
    assert name_and_time_only(replace(entry, **said, coordinates=(1.0, 2.0))) == entry


async def test_the_notification_says_so_without_a_link(post: Post, supper) -> None:
    ana, ben, event = supper
    await remove(post, ana, ben, event)
    await revised(post, ana, event)
    async with signed_in(post.site, ben.user_id) as browser:
        text = (await browser.get("/notifications")).text
        said = "The host has taken you off the list of Quiet supper, Sat 4 Jul, 18:00."
        assert said in text
        assert event.slug not in text
        assert not tells(text)
    async with post.site.browser() as client:
        headers = await api_session(client, "ben@example.org", "Ben")
        news = (await client.get("/api/notifications", headers=headers)).json()["items"]
        (told,) = [one for one in news if one["kind"] == "answer_declined"]
        assert (told["title"], told["slug"], told["path"]) == ("Quiet supper", "", "")
        assert told["sentence"].startswith(said)


async def test_an_undone_removal_is_not_mailed(post: Post, supper) -> None:
    """If the removal is undone before the e-mail is sent, no e-mail is sent. If it is undone later, the person can see
    the event again.
    """
    ana, ben, event = supper
    mine = await remove(post, ana, ben, event)
    async with post.db.transaction() as tx:
        await host_decisions.restore(tx, ana, event.slug, mine.id)
    post.site.clock.turn(HOUR)
    assert await post.deliver() == []
    async with signed_in(post.site, ben.user_id) as browser:
        assert "taken you off" not in (await browser.get("/notifications")).text
        assert (await browser.get(f"/events/{event.slug}")).status_code == 200
