"""Hosts mute and ban people on pages. A banned person sees the reason and how to object, and related chats are linked."""

import httpx
import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access, Room, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW, create_weekly_series
from tests.openmeet.site_under_test import Site, details, event_by, person, signed_in, site_on

EVIL = "<script>alert(1)</script>\"'>"


class Muting:
    """Ana hosts, Ben is going, Dan is not involved."""

    site: Site
    ana: Caller
    ben: Caller
    dan: Caller
    room: Room
    path: str


@pytest.fixture
async def muting(make_database, clock) -> Muting:
    made = Muting()
    made.site = site_on(await make_database("openmeet", clock=clock), clock)
    async with made.site.db.transaction() as tx:
        made.ana, made.ben, made.dan = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Dan")
        event = await event_by(tx, made.ana, starts="2026-03-05T18:00", ends="2026-03-05T20:00")
        await attendance.answer(tx, made.ben, event.slug, RsvpReply.GOING)
        made.room = await room_of(tx, made.ana, subject_of_event(event))
    made.path = f"/events/{event.slug}/chat"
    return made


async def event_in(tx, host: Caller, group: Group) -> Event:
    """An event of the group on a Friday."""
    of_group = await group_of_event.group_for(tx, group.slug, host.user_id)
    return await events.create(tx, host, details(starts="2026-03-06T18:00", ends="2026-03-06T20:00"), group=of_group)


async def _access(muting: Muting) -> Access:
    async with muting.site.db.reader() as reader:
        return await access(reader, muting.room.id, muting.ben.user_id)


async def test_a_host_mutes_somebody_for_an_hour_and_they_learn_why(muting, clock):
    them = f"{muting.path}/people/{muting.ben.user_id}"
    async with (
        signed_in(muting.site, muting.ana.user_id) as as_ana,
        signed_in(muting.site, muting.ben.user_id) as as_ben,
    ):
        assert f'href="{them}"' in (await as_ana.get(f"{muting.path}/people")).text
        assert (await as_ana.post(f"{them}/mute", data={"reason": " ", "for": "hour"})).status_code == 400
        answer = await as_ana.post(f"{them}/mute", data={"reason": EVIL, "for": "hour"})
        assert (answer.status_code, answer.headers["location"]) == (303, them)
        assert await _access(muting) is Access.READ
        told = (await as_ben.get(muting.path)).text
        assert "A host has muted you in this chat until" in told
        assert "alert(1)" in told
        assert "<script>alert" not in told
        assert f'href="/chat/direct{muting.path.removesuffix("/chat").replace("/events", "/event")}"' in told
        assert "say you’re going" not in told
        listed = (await as_ana.get(f"{muting.path}/people")).text
        assert "Muted until" in listed
        clock.turn(HOUR)
        assert "A host has muted you" not in (await as_ben.get(muting.path)).text
        assert "Muted until" not in (await as_ana.get(f"{muting.path}/people")).text


async def test_a_banned_person_reads_why_and_a_host_lifts_the_ban(muting):
    them = f"{muting.path}/people/{muting.ben.user_id}"
    async with (
        signed_in(muting.site, muting.ana.user_id) as as_ana,
        signed_in(muting.site, muting.ben.user_id) as as_ben,
    ):
        assert (await as_ana.post(f"{them}/ban", data={"reason": "Sold tickets", "for": ""})).status_code == 303
        assert await _access(muting) is Access.NONE
        outside = await as_ben.get(muting.path)
        assert outside.status_code == 403
        assert "A host has banned you from this chat." in outside.text
        assert "Sold tickets" in outside.text
        assert "Say you’re going, and you can" not in outside.text
        # The banned person objects in a direct chat with the hosts.
        ask = f"/chat/direct/event/{muting.path.split('/')[2]}"
        assert f'href="{ask}"' in outside.text
        assert (await as_ben.post(ask, data={"text": "I did not"})).status_code == 303
        # A person who never wrote could not be unbanned from a message.
        assert (await as_ana.get(them)).status_code == 200
        assert (await as_ana.post(f"{them}/lift", data={"kind": "other"})).status_code == 400
        assert (await as_ana.post(f"{them}/lift", data={"kind": "ban"})).status_code == 303
        assert await _access(muting) is Access.WRITE


async def test_only_hosts_can_ban_and_ids_reveal_no_names(muting):
    them, host = f"{muting.path}/people/{muting.dan.user_id}", f"{muting.path}/people/{muting.ana.user_id}"
    async with (
        signed_in(muting.site, muting.ana.user_id) as as_ana,
        signed_in(muting.site, muting.ben.user_id) as as_ben,
    ):
        for wrong in (them, f"{muting.path}/people/nobody"):
            assert (await as_ana.get(wrong)).status_code == 404
            assert (await as_ana.post(f"{wrong}/ban", data={"reason": "x"})).status_code == 404
        assert (await as_ana.post(f"{host}/ban", data={"reason": "x"})).status_code == 422
        for act in ("", "/mute", "/ban", "/lift"):
            answer = await (as_ben.post(host + act, data={"reason": "x"}) if act else as_ben.get(host))
            assert answer.status_code == 403, act
    async with signed_in(muting.site, muting.dan.user_id) as as_dan:
        assert (await as_dan.get(host)).status_code == 404


async def test_hosts_read_what_a_message_said_before(muting):
    async with muting.site.db.transaction() as tx:
        one = await send_text(tx, muting.ben, muting.room, "The first words")
        await messages.edit(tx, muting.ben, one.id, "Other words")
    async with (
        signed_in(muting.site, muting.ana.user_id) as as_ana,
        signed_in(muting.site, muting.ben.user_id) as as_ben,
    ):
        assert "The first words" in (await as_ana.get(f"/chat/messages/{one.id}")).text
        assert "The first words" not in (await as_ben.get(f"/chat/messages/{one.id}")).text
    async with muting.site.db.transaction() as tx:
        await messages.retract(tx, muting.ben, one.id)
    async with signed_in(muting.site, muting.ana.user_id) as as_ana:
        assert "The first words" not in (await as_ana.get(f"/chat/messages/{one.id}")).text


async def test_hosts_find_their_own_room_and_open_channels(muting):
    async with muting.site.db.transaction() as tx:
        group = await group_by(tx, muting.ana)
        await room_of(tx, muting.ana, RoomSubject(SubjectKind.GROUP, group.id), RoomKind.CHANNEL)
    chat = f"/groups/{group.slug}/chat"
    async with (
        signed_in(muting.site, muting.ana.user_id) as as_ana,
        signed_in(muting.site, muting.dan.user_id) as as_dan,
    ):
        page = (await as_ana.get(f"{chat}/general")).text
        assert f'href="/chat/hosts/group/{group.slug}"' in page
        made = await as_ana.post(chat, data={"channel": "Rides & lifts"})
        assert (made.status_code, made.headers["location"]) == (303, f"{chat}/Rides%20%26%20lifts")
        assert f'href="{chat}/Rides%20%26%20lifts"' in (await as_ana.get(f"{chat}/general")).text
        for name in ("", "x" * 61):
            wrong: httpx.Response = await as_ana.post(chat, data={"channel": name})
            assert wrong.status_code == 400
        assert (await as_dan.post(chat, data={"channel": "Mine"})).status_code in {403, 404}
        assert "Mine" not in (await as_ana.get(f"{chat}/general")).text
    async with signed_in(muting.site, muting.ben.user_id) as as_ben:
        assert "/chat/hosts/" not in (await as_ben.get(muting.path)).text


async def test_an_unopened_channel_is_absent_for_hosts_too(muting):
    """The page of a channel that was never opened answers 404, because any name could be in the URL. Channels are
    opened in the chat settings.
    """
    async with muting.site.db.transaction() as tx:
        group = await group_by(tx, muting.ana)
    chat = f"/groups/{group.slug}/chat"
    async with signed_in(muting.site, muting.ana.user_id) as as_ana:
        for path in (f"{chat}/anything", f"{chat}/anything/settings", f"{chat}/anything/people"):
            assert (await as_ana.get(path)).status_code == 404, path
        assert (await as_ana.post(f"{chat}/anything", data={"text": "Hello"})).status_code == 404
        # The general channel exists from the start, and the first message opens it.
        assert (await as_ana.get(f"{chat}/general")).status_code == 200
        assert (await as_ana.post(chat, data={"channel": "anything"})).status_code == 303
        assert (await as_ana.get(f"{chat}/anything")).status_code == 200


async def test_a_date_with_a_separate_room_has_links_both_ways(make_database, clock):
    clock.turn(NOW - clock.now())
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        row = await tx.fetch_one(
            "select slug, original_date from events where series_id = :id order by starts_at limit 1", id=series.id
        )
        ben = await person(tx, "Ben")
        await attendance.answer(tx, ben, row["slug"], RsvpReply.GOING)
        room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
        await send_text(tx, ana, room, "Who has the key?", about=row["original_date"])
    own = f"/events/{row['slug']}/chat/date"
    async with signed_in(site, ana.user_id) as as_ana, signed_in(site, ben.user_id) as as_ben:
        assert own in (await as_ana.get(f"/events/{row['slug']}/chat")).text
        assert own not in (await as_ben.get(f"/events/{row['slug']}/chat")).text
        assert (await as_ana.post(own, data={"text": "Only this date"})).status_code == 303
        # In the chat of the date, and next to its heading in the chat of the series.
        assert (await as_ben.get(f"/events/{row['slug']}/chat")).text.count(f'href="{own}"') == 2
        assert f'href="{own}"' in (await as_ben.get(f"/series/{series.slug}/chat")).text
        assert f'href="/events/{row["slug"]}/chat"' in (await as_ben.get(own)).text


async def test_people_banned_from_the_group_are_not_told_to_join_it(muting):
    async with muting.site.db.transaction() as tx:
        group = await group_by(tx, muting.ana)
        await groups.join(tx, muting.ben, group.slug)
        await administration.ban(tx, muting.ana, group.slug, muting.ben.user_id)
    async with signed_in(muting.site, muting.ben.user_id) as as_ben:
        shown = await as_ben.get(f"/groups/{group.slug}/chat/general")
    assert shown.status_code == 403
    assert "You’re banned from this group" in shown.text
    assert "Join the group" not in shown.text
    assert 'href="/help"' in shown.text


async def test_group_admins_can_ban_from_the_group_on_a_persons_page(muting):
    """People who only answered can be banned too. They are banned from all chats of the group at once, and unbanned on
    the same page.
    """
    async with muting.site.db.transaction() as tx:
        group = await group_by(tx, muting.ana)
        event = await event_in(tx, muting.ana, group)
        await attendance.answer(tx, muting.ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, muting.ana, subject_of_event(event))
    them = f"/events/{event.slug}/chat/people/{muting.ben.user_id}"

    async def reached() -> Access:
        async with muting.site.db.reader() as reader:
            return await access(reader, room.id, muting.ben.user_id)

    async with (
        signed_in(muting.site, muting.ana.user_id) as as_ana,
        signed_in(muting.site, muting.ben.user_id) as as_ben,
    ):
        assert "Ban from the group" in (await as_ana.get(them)).text
        banned = await as_ana.post(f"{them}/group", data={"act": "ban"})
        assert (banned.status_code, banned.headers["location"]) == (303, them)
        assert await reached() is Access.NONE
        assert (await as_ben.get(f"/events/{event.slug}/chat")).status_code == 403
        assert "banned from the group" in (await as_ana.get(them)).text
        assert (await as_ana.post(f"{them}/group", data={"act": "lift"})).status_code == 303
        assert await reached() is Access.WRITE


async def test_hosts_without_a_role_in_the_group_ban_nobody_from_it(muting):
    async with muting.site.db.transaction() as tx:
        group = await group_by(tx, muting.ana)
        host = await add_member(tx, group, muting.ana, "Hanna", GroupRole.MODERATOR)
        event = await event_in(tx, host, group)
        await administration.change_role(tx, muting.ana, group.slug, host.user_id, GroupRole.MEMBER)
        await attendance.answer(tx, muting.ben, event.slug, RsvpReply.GOING)
        await room_of(tx, host, subject_of_event(event))
    chat = f"/events/{event.slug}/chat"
    async with signed_in(muting.site, host.user_id) as as_host, signed_in(muting.site, muting.ana.user_id) as as_ana:
        for who in (muting.ben, muting.ana):
            assert "Ban from the group" not in (await as_host.get(f"{chat}/people/{who.user_id}")).text
            answer = await as_host.post(f"{chat}/people/{who.user_id}/group", data={"act": "ban"})
            assert answer.status_code == 403
        # A person who owns the group and the event can ban a host from the group, and nobody can ban themselves.
        assert "Ban from the group" in (await as_ana.get(f"{chat}/people/{host.user_id}")).text
        assert (await as_ana.post(f"{chat}/people/{muting.ana.user_id}/group", data={"act": "ban"})).status_code == 403
