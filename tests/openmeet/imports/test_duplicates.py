"""An event that the person already has (with another UID, or read from its page) is shown with a link and imported only
if chosen; both engines.
"""

from typing import Any

from groundwork.clock import HandClock
from openmeet.domain.events import co_hosts
from openmeet.domain.events.rules import Submission
from openmeet.domain.imports import queries
from openmeet.domain.imports.events import SimilarEvent, likely_duplicates
from openmeet.domain.imports.model import ImportedEvent
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, site_on


def file_of(uid: str, title: str = "Café talk", start: str = "20260704T180000Z") -> str:
    lines = ("BEGIN:VCALENDAR", "BEGIN:VEVENT", f"UID:{uid}", f"DTSTART:{start}", f"SUMMARY:{title}")
    return "\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR", ""])


async def test_the_page_of_an_existing_event_is_recognised(make_database: MakeDatabase, clock: HandClock) -> None:
    db = await make_database("openmeet", clock=clock)
    typed = Submission(title="  CAFÉ talk", starts="2026-07-04T20:00", time_zone="Europe/Berlin")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Cafe\N{COMBINING ACUTE ACCENT} Talk", starts="2026-07-04T20:00", ends="")
        page = ImportedEvent("page:https://x.example/1#2026", typed, "")
        assert await likely_duplicates(tx, ana.user_id, [page]) == {
            page.uid: SimilarEvent(path=f"/events/{event.slug}")
        }
        assert await likely_duplicates(tx, ben.user_id, [page]) == {}
        later = ImportedEvent(
            "page:2", Submission(title="Café talk", starts="2026-07-04T20:01", time_zone="Europe/Berlin"), ""
        )
        assert (
            await likely_duplicates(
                tx, ana.user_id, [later, ImportedEvent("page:3", Submission(title="Café talk"), "")]
            )
            == {}
        )
        assert await queries.own_starting(tx, ana.user_id, []) == []


async def test_a_lookalike_is_not_preselected_but_can_be_chosen(make_database: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")

        async def arrived(uid: str) -> str:
            file = {"file": ("mine.ics", file_of(uid).encode(), "text/calendar")}
            return str((await browser.post("/import", files=file)).headers["location"])

        first = await arrived("one@x")
        assert 'name="event-0" checked' in (await browser.get(first)).text
        await browser.post(first, data={"event-0": "on"})
        again = await arrived("two@x")
        page = (await browser.get(again)).text
        assert 'name="event-0">' in page
        assert 'It looks like <a href="/events/cafe-talk' in page
        await browser.post(again, data={"event-0": "on"})
        assert "1 event created" in (await browser.get(again)).text


async def test_the_api_reports_lookalikes_and_lets_clients_choose(
    make_database: MakeDatabase, clock: HandClock
) -> None:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")

        async def arrived(uid: str) -> dict[str, Any]:
            answer = await browser.post("/api/imports", json={"ics": file_of(uid)}, headers=ana)
            shown: dict[str, Any] = answer.json()
            return shown

        first = await arrived("one@x")
        await browser.post(f"/api/imports/{first['id']}/confirm", headers=ana)
        again = await arrived("two@x")
        assert [(one["standing"], one["looksLike"][:8]) for one in again["events"]] == [("new", "/events/")]
        whole = (await browser.post(f"/api/imports/{again['id']}/confirm", headers=ana)).json()["outcome"]
        assert whole["made"] == []
        assert whole["leftOut"] == ["Café talk: you already have one like it. Select this one to have both."]
        chosen = await arrived("two@x")
        path = f"/api/imports/{chosen['id']}/confirm"
        outcome = (await browser.post(path, json={"events": ["two@x"]}, headers=ana)).json()["outcome"]
        assert len(outcome["made"]) == 1


async def test_a_co_hosts_events_are_compared_too(make_database: MakeDatabase, clock: HandClock) -> None:
    """A co-host's events are compared too, from the time they accept until they leave."""
    db = await make_database("openmeet", clock=clock)
    found = ImportedEvent("one@x", Submission(title="Tea", starts="2026-07-04T20:00", time_zone="Europe/Berlin"), "")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Tea", starts="2026-07-04T20:00", ends="")
        asked = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        assert await likely_duplicates(tx, ben.user_id, [found]) == {}
        await co_hosts.accept(tx, ben, asked.id)
        assert await likely_duplicates(tx, ben.user_id, [found]) == {
            "one@x": SimilarEvent(path=f"/events/{event.slug}")
        }
        await co_hosts.leave(tx, ben, event.slug)
        assert await likely_duplicates(tx, ben.user_id, [found]) == {}


async def test_a_duplicate_in_a_file_is_imported_once(make_database: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    entries = [file_of(uid).split("\r\n")[1:-2] for uid in ("one@x", "two@y")]
    whole = "\r\n".join(["BEGIN:VCALENDAR", *entries[0], *entries[1], "END:VCALENDAR", ""])
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        arrived = (await browser.post("/api/imports", json={"ics": whole}, headers=ana)).json()
        assert [(one["looksLike"], one["looksLikeUid"]) for one in arrived["events"]] == [("", ""), ("", "one@x")]
        outcome = (await browser.post(f"/api/imports/{arrived['id']}/confirm", headers=ana)).json()["outcome"]
        assert len(outcome["made"]) == 1
        assert outcome["leftOut"] == [
            "Café talk: there’s one like it earlier in the file. Select this one to have both."
        ]
        await sign_up(browser, "ben@example.org", "Ben")
        file = {"file": ("mine.ics", whole.encode(), "text/calendar")}
        page = (await browser.get((await browser.post("/import", files=file)).headers["location"])).text
        assert ('name="event-0" checked' in page, 'name="event-1">' in page) == (True, True)
        assert "Its title and start are the same as those of an event above" in page
