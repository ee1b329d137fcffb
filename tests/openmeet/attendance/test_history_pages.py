"""The history of an RSVP on the pages of the person and of the host, however long it is."""

import html
import re

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions, event_hosting, host_decisions, rsvp_records
from openmeet.domain.attendance.model import AttendanceId, RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, details, event_by, person, signed_in, site_on
from tests.visible_text import visible_text

MANY = 5_000
SHOWN = 50


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet", clock=clock), clock)


async def add_changes(tx, attendance_id: AttendanceId, event_id: str, many: int) -> None:
    """Changes as a record makes them that says "going" and "maybe" in turn. ``party`` and ``revision`` number them."""
    await tx.execute_many(
        "insert into attendance_history (id, attendance_id, revision, event_id, through, before_status, after_status,"
        " party, is_offered, changed_at)"
        " values (:id, :attendance_id, :revision, :event_id, 'network', :before, :after, :party, 0, :at)",
        [
            {
                "id": new_id(tx.now),
                "attendance_id": attendance_id,
                "event_id": event_id,
                "before": ("attending", "interested")[number % 2],
                "after": ("interested", "attending")[number % 2],
                "revision": number + 2,
                "party": number + 2,
                "at": tx.now + number,
            }
            for number in range(many)
        ],
    )


def numbers_in(page: httpx.Response) -> list[int]:
    """The numbers of the shown changes, in the order of the page."""
    return [int(found.replace(",", "")) - 2 for found in re.findall(r"\(([\d,]+) people\)", page.text)]


def link_to(page: httpx.Response, words: str) -> str | None:
    found = re.search(rf'href="([^"]*)">{words}<', page.text)
    return html.unescape(found[1]) if found else None


@pytest.mark.parametrize("is_host", [True, False])
async def test_a_page_shows_the_latest_changes_and_leads_to_older_ones(site: Site, is_host: bool) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await add_changes(tx, mine.id, event.id, MANY)
    path = f"/events/{event.slug}/attendees/{mine.id}" if is_host else f"/events/{event.slug}/answer"
    async with signed_in(site, (ana if is_host else ben).user_id) as browser:
        latest = await browser.get(path)
        assert numbers_in(latest) == list(range(MANY - SHOWN, MANY))
        assert link_to(latest, "Back to the newest") is None
        older = link_to(latest, "Show older")
        assert older is not None
        before = await browser.get(older)
        assert numbers_in(before) == list(range(MANY - 2 * SHOWN, MANY - SHOWN))
        # The rows run from the oldest to the newest, so older ones belong above them and newer ones below.
        assert before.text.index("Show older") < before.text.index('<ol class="history">')
        assert before.text.index("</ol>") < before.text.index("Back to the newest")
        assert link_to(before, "Back to the newest") == f"{path}#history"
        assert (await browser.get(f"{path}?before=nonsense")).status_code == 400


async def test_a_short_history_needs_no_links(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await add_changes(tx, mine.id, event.id, SHOWN - 1)
    async with signed_in(site, ben.user_id) as browser:
        page = await browser.get(f"/events/{event.slug}/answer")
    assert len(numbers_in(page)) == SHOWN - 1
    assert (link_to(page, "Show older"), link_to(page, "Back to the newest")) == (None, None)


async def test_a_change_after_a_lower_limit_names_no_host(site: Site) -> None:
    """Nobody withdrew this offer by hand, so there is no name before the words."""
    async with site.db.transaction() as tx:
        ana, *others = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora")]
        event = await event_by(tx, ana, capacity="2")
        for who in others:
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
        _, cleo, dora = others
        await actions.answer(tx, cleo, event.slug, RsvpReply.DECLINED)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="1"))
    async with signed_in(site, dora.user_id) as browser:
        shown = visible_text((await browser.get(f"/events/{event.slug}/answer")).text)
    assert "By a host or by this site" in shown
    assert "as host" not in shown


async def test_a_change_by_a_host_names_the_host(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
    async with signed_in(site, ben.user_id) as browser:
        assert "Ana, as host" in visible_text((await browser.get(f"/events/{event.slug}/answer")).text)


async def test_the_host_reads_who_asked_and_that_they_are_new(site: Site) -> None:
    """The page is about one person, so only other people are named in the history."""
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        past, event = await event_by(tx, ana), await event_by(tx, ana)
        await tx.execute("update events set over_at = :now where id = :id", now=tx.now, id=past.id)
        await event_hosting.change_registration_settings(tx, ana, event.slug, RegistrationSettings(needs_approval=True))
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as browser:
        shown = visible_text((await browser.get(f"/events/{event.slug}/attendees/{mine.id}")).text)
    assert "Asked to join" in shown
    assert "New to your events" in shown
    assert "On this site" in shown
    assert "Ben, on" not in shown


async def test_an_unclear_answer_is_no_request_to_join(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        uri = f"at://did:plc:ben/community.lexicon.calendar.rsvp/{event.id}"
        for status in (RsvpRecordStatus.UNCLEAR, RsvpRecordStatus.INTERESTED, RsvpRecordStatus.UNCLEAR):
            record = RecordedRsvp(
                event_id=event.id, user_id=ben.user_id, record_uri=uri, status=status, first_seen_at=tx.now
            )
            mine = await rsvp_records.apply_from_network(tx, record)
            assert mine is not None
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.get(f"/events/{event.slug}/attendees/{mine.id}")).text
    changes = shown.partition('<ol class="history">')[2].partition("</ol>")[0]
    assert re.findall("<strong>(.*?)</strong>", changes) == [
        "Unclear answer",
        "Unclear answer → maybe",
        "Maybe → unclear answer",
    ]
