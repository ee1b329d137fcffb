"""Decisions that a host has to make, on their dashboard, on home and above the notifications: in order of urgency, with
buttons to decide.
"""

import re

import pytest

from groundwork.clock import HOUR, HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.chat import sanctions
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events import co_host_queries, co_hosts, event_records, ownership
from openmeet.domain.events.co_host_invitations import CoHostState
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import ownership as group_ownership
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.paging import ALL_ROWS
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on

URI = "at://did:plc:abc/community.lexicon.calendar.event/1"
PLACES = ("/my/events?which=hosting", "/home", "/notifications")


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet", clock=clock), clock)


async def shown_to(site: Site, who, path: str = PLACES[0]) -> str:
    async with signed_in(site, who.user_id) as browser:
        answer = await browser.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


def box(page: str) -> str:
    """The box with the requests that need the reader's action, or empty if there is none."""
    found = re.search(r'<section class="needs".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def titles(page: str) -> list[str]:
    return re.findall(r"<li>\s*<svg.*?<strong>(.*?)</strong>", box(page), re.DOTALL)


async def conflict(tx, uri: str, field: str = "name", rev: str = "r", *, reversible: bool = True) -> None:
    values = b"{}" if reversible else None
    decision = FieldDecision(
        field, "Tea", "Coffee", "Cocoa", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, values, values
    )
    await merge_decisions.store(tx, uri=uri, theirs_rev=rev, ours_revision=1, decisions=(decision,))


async def test_a_host_without_anything_to_decide_reads_so(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana)
    page = await shown_to(site, ana)
    assert "Nothing to decide right now" in page
    assert box(page) == ""


async def test_the_same_tasks_in_order_of_urgency_at_all_three_places(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        theirs = await event_by(tx, ben, title="Film night")
        await event_records.set_record(tx, event.id, URI, "bafy", "did:plc:abc")
        await conflict(tx, URI)
        await co_hosts.invite(tx, ben, theirs.slug, "ana@example.org")
        group = await group_by(tx, ana, join_policy="request")
        await group_actions.join(tx, cleo, group.slug)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        rude = await send_text(tx, ben, room, "You fools")
        await sanctions.report(tx, cleo, rude.id, ReportReason.ABUSE, "", to_tenant=False)
    for path in PLACES:
        page = await shown_to(site, ana, path)
        assert titles(page) == [
            "1 chat message needs a decision",
            "1 person wants to join",
            "Ben asks you to co-host",
            "Changed in another app",
        ], path
        links = re.findall(r'href="([^"]+)" aria-label="([^"]+)"', box(page))
        assert (
            f"/events/{event.slug}/chat/moderation",
            "Review: 1 chat message needs a decision, Board games",
        ) in links
        assert f'value="approve {cleo.user_id}" type="submit" aria-label="Let in Cleo: Chess club"' in box(page)
        assert (f"/events/{event.slug}/merged", "Review: Changed in another app, Board games") in links
        assert "Board games · Title" in box(page)
        async with signed_in(site, ana.user_id) as browser:
            for link, _ in links:
                assert (await browser.get(link)).status_code == 200, link
    for other in (ben, cleo):
        assert titles(await shown_to(site, other, "/home")) == [], "other people cannot read it"


async def test_the_first_four_tasks_are_shown_and_the_others_folded(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await event_by(tx, ana)
        for number in range(6):
            event = await event_by(tx, ben, title=f"Film night {number}")
            await co_hosts.invite(tx, ben, event.slug, "ana@example.org")
    shown = box(await shown_to(site, ana))
    open_rows, _, folded = shown.partition("<details>")
    assert open_rows.count("asks you to co-host</strong>") == 4
    assert folded.count("asks you to co-host</strong>") == 2
    assert "<summary>Show 2 more</summary>" in folded
    assert '<span class="count">6</span>' in shown


async def test_somebody_who_hosts_nothing_yet_reads_what_is_offered_to_them(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
    page = await shown_to(site, ben)
    assert titles(page) == ["Ana asks you to co-host"]
    assert "You’re not hosting anything" in page
    # The other lists of one's own events keep the banner.
    assert "asks you to host “Board games” together" in await shown_to(site, ben, "/my/events?which=going")


async def test_hand_overs_of_events_and_groups(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        asked = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, asked.id)
        (one,) = await co_host_queries.of_event(tx, event.id, [CoHostState.ACCEPTED])
        await ownership.offer(tx, ana, event.slug, one.id)
        group = await group_by(tx, ana)
        cleo = await add_member(tx, group, ana, "Cleo", GroupRole.ADMIN)
        await group_ownership.offer(tx, ana, group.slug, cleo.user_id)
    assert titles(await shown_to(site, ben)) == ["Ana wants to hand this over to you"]
    assert f'href="/events/{event.slug}/hosts"' in box(await shown_to(site, ben))
    assert titles(await shown_to(site, cleo, "/home")) == ["Ana wants to hand this over to you"]
    assert f'href="/groups/{group.slug}/ownership"' in box(await shown_to(site, cleo, "/home"))
    async with site.db.transaction() as tx:
        await ownership.accept(tx, ben, event.slug)
        await group_ownership.end_offer(tx, cleo, group.slug)
    assert titles(await shown_to(site, ben)) == titles(await shown_to(site, cleo, "/home")) == []


async def test_records_that_another_app_deleted_and_changes_of_co_hosts(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        gone, changed = await event_by(tx, ana, title="Gone"), await event_by(tx, ana, title="Changed")
        await tx.execute("update events set record_deleted_at = :now where id = :id", now=tx.now, id=gone.id)
        await tx.execute("update events set needs_author_approval = 1 where id = :id", id=changed.id)
    shown = await shown_to(site, ana)
    assert set(titles(shown)) == {"Deleted in another app", "Changed by a co-host"}
    assert f'<form method="post" action="/events/{changed.slug}/publish"' in box(shown)
    assert f'href="/events/{gone.slug}" aria-label="Decide: Deleted in another app, Gone"' in box(shown)


async def test_merges_wait_until_they_are_reviewed_and_only_if_they_can_be_reversed(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event, other = await event_by(tx, ana), await event_by(tx, ana, title="Other")
        await event_records.set_record(tx, event.id, URI, "bafy", "did:plc:abc")
        await event_records.set_record(tx, other.id, f"{URI}2", "bafy", "did:plc:abc")
        await conflict(tx, URI)
        await conflict(tx, URI, "starts_at", "s")
        await conflict(tx, f"{URI}2", reversible=False)
    shown = await shown_to(site, ana)
    assert titles(shown) == ["Changed in another app"]
    assert "Board games · Title, Start" in shown
    async with site.db.transaction() as tx:
        for one in await merge_decisions.of_records(tx, [URI], ALL_ROWS):
            await merge_decisions.mark_reviewed(tx, one, MergeSide.OURS)
    assert titles(await shown_to(site, ana)) == []


async def test_moderators_of_a_group_read_of_its_chat_and_members_do_not(site: Site, clock: HandClock) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        mona = await add_member(tx, group, ana, "Mona", GroupRole.MODERATOR)
        cleo, dan = [await add_member(tx, group, ana, name) for name in ("Cleo", "Dan")]
        room = await room_of(tx, ana, RoomSubject(SubjectKind.GROUP, group.id), RoomKind.CHANNEL)
        rude = await send_text(tx, dan, room, "You fools")
        await sanctions.report(tx, cleo, rude.id, ReportReason.ABUSE, "", to_tenant=False)
        to_site = await send_text(tx, dan, room, "All of you")
        await sanctions.report(tx, cleo, to_site.id, ReportReason.ABUSE, "", to_tenant=True)
    clock.turn(HOUR)
    shown = box(await shown_to(site, mona, "/home"))
    assert "1 chat message needs a decision" in shown
    assert "Chess club" in shown
    assert "1 hour ago" in shown
    assert f'href="/groups/{group.slug}/chat/general/moderation"' in shown
    for who in (cleo, dan):
        assert titles(await shown_to(site, who, "/home")) == []
    async with site.db.transaction() as tx:
        await sanctions.dismiss_reports(tx, mona, rude.id)
    assert titles(await shown_to(site, mona, "/home")) == []


async def test_requests_that_wait_above_the_news_are_not_news_too(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        supper, games = await event_by(tx, ana, title="Supper"), await event_by(tx, ana, title="Board games")
        settings = RegistrationSettings(needs_approval=True)
        await event_hosting.change_registration_settings(tx, ana, supper.slug, settings)
        await attendance.answer(tx, ben, supper.slug, RsvpReply.GOING)
        await attendance.answer(tx, cleo, games.slug, RsvpReply.GOING)
    news = await shown_to(site, ana, "/notifications")
    assert "Supper" in box(news)
    assert "would like to go to" not in news
    assert "<strong>Cleo</strong> is going to" in news
    assert "<strong>Ben</strong> would like to go to" in await shown_to(site, ana, "/notifications?show=events")
