"""Calendars from Google and Outlook: text without markup, private call links, and a list of the omitted data."""

import html

import pytest

from groundwork.clock import HandClock
from openmeet.domain.imports.calendar_file import parse_calendar
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, sign_up, site_on

MEET = "https://meet.google.com/abc-defg-hij"
FILE = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Google Inc//Google Calendar 70.9054//EN
X-WR-CALNAME:Choir
BEGIN:VEVENT
UID:one@google.com
DTSTART:20260701T160000Z
DTEND:20260701T180000Z
SUMMARY:Rehearsal
LOCATION:Town library\\, Berlin
DESCRIPTION:<p>Bring <b>scores</b>\\, see <a href="https://www.google.com/url?q
 =https://x.example/list&amp\\;sa=D">the list</a>.</p><img src="https://x.example/i.png"><br>Join with Google Meet: {MEET}<br>Or dial: +49 30 1 PIN: 987654#
X-GOOGLE-CONFERENCE:{MEET}
ATTENDEE;CN=Ben:mailto:ben@example.org
ATTENDEE;CN=Cleo:mailto:cleo@example.org
ATTACH:https://drive.google.com/x
END:VEVENT
BEGIN:VEVENT
UID:two@google.com
DTSTART:20260702T160000Z
SUMMARY:Call
LOCATION:Microsoft Teams Meeting
DESCRIPTION:a < b\\, write to <ana@example.org>
X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.microsoft.com/l/meetup-join/1/0
END:VEVENT
BEGIN:VEVENT
UID:three@google.com
DTSTART:20260703T160000Z
SUMMARY:Page
URL:https://www.meetup.com/choir/events/1
LOCATION:https://us02web.zoom.us/j/86012345678\\, Room 5
X-ALT-DESC;FMTTYPE=text/html:<html><body><ul><li>Tea</li></ul></body></html>
END:VEVENT
END:VCALENDAR
""".encode()


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


def test_texts_calls_and_places() -> None:
    one, two, three = parse_calendar(FILE, "Europe/Berlin").events
    assert one.typed.description == "Bring **scores**, see [the list](https://x.example/list)."
    assert (one.typed.mode, one.typed.online_url) == ("hybrid", MEET)
    assert (one.typed.venue_name, one.typed.locality) == ("Town library", "Berlin")
    assert one.typed.online_url_audience == "attendees"
    said = "\n".join(one.warnings)
    for words in (
        f"Only people who are going see the link to the call: {MEET}",
        "987654",
        "1 picture in its text was left out.",
        "1 attachment was left out.",
        "2 guests on its list were left out.",
    ):
        assert words in said
    assert two.typed.description == "a < b, write to <ana@example.org>"
    assert (two.typed.mode, two.typed.venue_name) == ("online", "")
    assert two.typed.online_url == "https://teams.microsoft.com/l/meetup-join/1/0"
    assert three.typed.description == "- Tea"
    assert (three.typed.mode, three.typed.online_url) == ("hybrid", "https://us02web.zoom.us/j/86012345678")
    assert three.typed.venue_name == "Room 5"


async def test_the_call_link_is_for_attendees_only(site: Site) -> None:
    async with site.browser() as ana:
        headers = await api_session(ana, "ana@example.org", "Ana")
        sent = await ana.post("/api/imports", content=FILE, headers=headers | {"content-type": "text/calendar"})
        assert sent.status_code == 201, sent.text
        assert MEET in " ".join(sent.json()["events"][0]["warnings"])
        done = await ana.post(f"/api/imports/{sent.json()['id']}/confirm", json={}, headers=headers)
        slug = done.json()["outcome"]["made"][0].rpartition("/")[2]
        draft = (await ana.get(f"/api/events/{slug}", headers=headers)).json()
        assert draft["onlineUrl"] == MEET
        published = await ana.post(f"/api/events/{slug}/publish", json={}, headers=headers)
        assert published.status_code == 200, published.text
    async with site.browser() as ben:
        shown = (await ben.get(f"/events/{slug}")).text
        seen = shown + (await ben.get(f"/events/{slug}.ics")).text + (await ben.get("/events.json")).text
        assert "Bring <strong>scores</strong>" in shown
        assert "abc-defg-hij" not in seen
        assert "987654" not in seen
        await sign_up(ben, "ben@example.org", "Ben")
        assert MEET not in (await ben.get(f"/events/{slug}")).text
        await ben.post(f"/events/{slug}/answer", data={"reply": "going"})
        assert MEET in html.unescape((await ben.get(f"/events/{slug}")).text)


async def test_a_file_is_posted_as_it_is_with_a_line_folded_within_a_character(site: Site) -> None:
    title = "Käsekuchen für alle".encode()
    at = title.index("ä".encode()) + 1
    file = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:k\r\nDTSTART:20260701T160000Z\r\nSUMMARY:"
        + title[:at]
        + b"\r\n "
        + title[at:]
        + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    async with site.browser() as ana:
        headers = await api_session(ana, "ana@example.org", "Ana")
        for declared in ("text/calendar", "text/calendar; charset=utf-8", "Text/Calendar"):
            sent = await ana.post("/api/imports", content=file, headers=headers | {"content-type": declared})
            assert (sent.status_code, sent.json()["events"][0]["title"]) == (201, title.decode())
        for body, status in ((b"", 422), (b"no calendar", 400), (b"\xff\xfe", 400)):
            refused = await ana.post("/api/imports", content=body, headers=headers | {"content-type": "text/calendar"})
            assert refused.status_code in {status, 400, 422}, refused.text
        other = await ana.post("/api/imports", content=file, headers=headers | {"content-type": "text/plain"})
        assert other.status_code == 400
        assert (
            await ana.post("/api/imports", content=file, headers={"content-type": "text/calendar"})
        ).status_code == 401


async def test_calls_on_configured_hosts_become_join_links(make_database: MakeDatabase, clock: HandClock) -> None:
    """A link becomes a join link if the operator configured its host. Otherwise it stays in the text."""
    file = FILE.replace(b"https://us02web.zoom.us/j/86012345678", b"https://meet.choir.example/Practice")
    assert file != FILE
    for number, hosts in enumerate(((), ("Meet.Choir.example",))):
        site = site_on(await make_database("openmeet"), clock, call_hosts=hosts)
        async with site.browser() as ana:
            headers = await api_session(ana, "ana@example.org", "Ana")
            sent = await ana.post("/api/imports", content=file, headers=headers | {"content-type": "text/calendar"})
            shown = next(one for one in sent.json()["events"] if one["title"] == "Page")
            assert ("https://meet.choir.example/Practice" in str(shown["warnings"])) is bool(number), shown
