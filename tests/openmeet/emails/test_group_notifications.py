"""Who is notified of what in a group, on pages and by e-mail; through a real SMTP server, on both engines."""

from datetime import datetime

import pytest

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.attendance.tasks import announce_group_events
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.content import Content
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import actions, administration, announcements, ownership
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.emails.conftest import html_of, link_to, text_of
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import details, person


@pytest.fixture
async def club(post):
    """Ana is the owner, Ben an admin, Cleo a member, and the e-mails about that have been delivered."""
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, join_policy="request")
        ben = await add_member(tx, group, ana, "Ben", GroupRole.ADMIN)
        cleo = await add_member(tx, group, ana, "Cleo")
    post.site.clock.turn(HOUR)
    await post.deliver()
    return group, ana, ben, cleo


async def does(post, act, *args: object, **more: object):
    async with post.db.transaction() as tx:
        return await act(tx, *args, **more)


async def mails(post):
    """Recipient, subject and text of each e-mail that arrives once bundles are due."""
    post.site.clock.turn(HOUR)
    return [(str(mail["To"]), str(mail["Subject"]), text_of(mail)) for mail in await post.deliver()]


async def page_of(post, who) -> str:
    async with post.db.transaction() as tx:
        session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
    async with post.site.browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        return (await browser.get("/notifications")).text


async def test_an_announcement_reaches_members_who_want_it(post, club):
    group, ana, ben, cleo = club
    async with post.db.transaction() as tx:
        dan = await add_member(tx, group, ana, "Dan")
        eve = await person(tx, "Eve")
        await actions.follow(tx, eve, group.slug)
        await actions.set_notifications(tx, cleo, group.slug, enabled=False)
        await actions.leave(tx, dan, group.slug)
        await announcements.announce(tx, ana, group.slug, "We meet at the *harbour*.\n\nBring <lamps>.")
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", "Announcement: Chess club")
    assert "Ana writes in Chess club:\n\nWe meet at the *harbour*.\n\nBring <lamps>." in text_of(mail)
    assert "Bring &lt;lamps&gt;." in html_of(mail)
    assert link_to(mail, "/groups/") == f"/groups/{group.slug}"
    assert "Bring &lt;lamps&gt;" not in await page_of(post, cleo)
    assert "<strong>Ana</strong> writes in" in await page_of(post, ben)
    assert "writes in" not in await page_of(post, eve)


async def test_removed_announcements_and_former_members_get_no_e_mail(post, club):
    group, ana, ben, cleo = club
    said = await does(post, announcements.announce, ana, group.slug, "Nonsense")
    await does(post, announcements.announce, ana, group.slug, "Sense")
    await does(post, announcements.remove, ana, group.slug, said.id)
    await does(post, administration.remove, ana, group.slug, cleo.user_id)
    ((to, _, text),) = await mails(post)
    assert (to, "Nonsense" in text, "Sense" in text) == ("ben@example.org", False, True)
    assert "Sense" not in await page_of(post, cleo)
    assert "Nonsense" not in await page_of(post, ben)


async def test_requests_are_bundled_and_decisions_are_mailed(post, club):
    """Three join requests within half an hour make one e-mail to each person who can decide. It leaves out a request
    that has already been decided.
    """
    group, ana, ben, _ = club
    async with post.db.transaction() as tx:
        asking = [await person(tx, name) for name in ("Dan", "Eve", "Finn")]
        for one in asking:
            await actions.join(tx, one, group.slug)
        await administration.decide(tx, ben, group.slug, [asking[2].user_id], lets_in=False)
    found = await mails(post)
    assert [(to, subject) for to, subject, _ in found] == [
        ("ana@example.org", "Request: Chess club"),
        ("ben@example.org", "Request: Chess club"),
        ("finn@example.org", "Request declined: Chess club"),
    ]
    for _, _, text in found[:2]:
        assert [f"{name} asks to join Chess club." in text for name in ("Dan", "Eve", "Finn")] == [
            True,
            True,
            False,
        ]
        assert f"/groups/{group.slug}/requests" in text
    await does(post, administration.decide, ana, group.slug, [asking[0].user_id], lets_in=True)
    assert [(to, subject) for to, subject, _ in await mails(post)] == [("dan@example.org", "You’re in: Chess club")]


async def test_a_role_changed_and_changed_back_is_not_mailed(post, club):
    group, ana, _, cleo = club
    await does(post, administration.change_role, ana, group.slug, cleo.user_id, GroupRole.MODERATOR)
    assert [(to, subject) for to, subject, _ in await mails(post)] == [
        ("cleo@example.org", "Your new role: Chess club"),
    ]
    await does(post, administration.change_role, ana, group.slug, cleo.user_id, GroupRole.ADMIN)
    await does(post, administration.change_role, ana, group.slug, cleo.user_id, GroupRole.MODERATOR)
    ((_, _, text),) = await mails(post)
    assert "Ana made you a moderator of Chess club." in text
    assert "an admin" not in text


async def test_an_offer_is_mailed_while_it_is_open(post, club):
    group, ana, ben, cleo = club
    await does(post, ownership.offer, ana, group.slug, ben.user_id)
    await does(post, ownership.offer, ana, group.slug, cleo.user_id)
    ((to, _, text),) = await mails(post)
    assert to == "cleo@example.org"
    assert "Ana would like to hand Chess club over to you." in text
    assert "would like to hand" in await page_of(post, cleo)


async def test_each_kind_can_be_switched_off_by_itself(post, club):
    group, ana, ben, _ = club
    await does(
        post, notifications.set_channels, ben.user_id, {NotificationTopic.ANNOUNCEMENTS: frozenset({Channel.IN_APP})}
    )
    await does(post, announcements.announce, ana, group.slug, "Hello")
    await does(post, actions.join, await does(post, person, "Dan"), group.slug)
    found = await mails(post)
    assert [(to, "Hello" in text, "Dan asks" in text) for to, _, text in found] == [
        ("ana@example.org", False, True),
        ("ben@example.org", False, True),
        ("cleo@example.org", True, False),
    ]
    assert "<strong>Ana</strong> writes in" in await page_of(post, ben)


async def test_new_events_are_announced_once_to_the_right_people(post, club):
    """Members are notified of all new events, followers of public ones. Nobody is notified of older events or of events
    that are not visible yet.
    """
    group, _, ben, cleo = club
    async with post.db.transaction() as tx:
        eve = await person(tx, "Eve")
        await actions.follow(tx, eve, group.slug)
        for title, visibility in (("Openings", "public"), ("Endgames", "private")):
            await events.create(tx, ben, details(title=title, visibility=visibility), group=as_group_of_event(group))
        held = await events.create(tx, ben, details(title="Held"), is_held=True, group=as_group_of_event(group))
    assert await announce_group_events(post.db) == 0
    post.site.clock.turn(6 * MINUTE)
    assert await announce_group_events(post.db) == 2
    assert await announce_group_events(post.db) == 0
    found = await mails(post)
    assert sorted((to, subject) for to, subject, _ in found) == [
        ("ana@example.org", "New event: Endgames, Sat 4 Jul"),
        ("ana@example.org", "New event: Openings, Sat 4 Jul"),
        ("cleo@example.org", "New event: Endgames, Sat 4 Jul"),
        ("cleo@example.org", "New event: Openings, Sat 4 Jul"),
        ("eve@example.org", "New event: Openings, Sat 4 Jul"),
    ]
    # In five groups, the title alone does not say which of them.
    assert all(f"{group.details.name} hosts it." in text for _, _, text in found)
    assert f"New in {group.details.name}: " in await page_of(post, cleo)
    await does(post, record_changes.release, held.id)
    assert await announce_group_events(post.db) == 1


async def test_a_series_is_announced_by_its_first_date(post, club):
    group, _, ben, cleo = club
    timing = Timing(pattern(datetime(2026, 3, 10, 19), "Europe/Berlin", parse_rule("FREQ=WEEKLY")), None)  # noqa: DTZ001  # wall time is naive
    async with post.db.transaction() as tx:
        await series.create(tx, ben, Content("Weekly", ""), timing)
        await tx.execute("update events set group_id = :id where series_id is not null", id=group.id)
        dates = await tx.fetch("select id from events order by starts_at, id")
    assert len(dates) > 3
    post.site.clock.turn(6 * MINUTE)
    assert await announce_group_events(post.db) == 1
    async with post.db.reader() as reader:
        told = [one.subject_id for one in await newest(reader, cleo.user_id, 10) if one.kind is event_kinds.GROUP_EVENT]
    assert told == [dates[0]["id"]]
