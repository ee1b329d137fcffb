"""Decisions by hosts and by community moderators, and which of them the other side cannot undo; on both engines."""

import os

import pytest

from groundwork.clock import HOUR
from groundwork.errors import NotFound, Refused
from groundwork.sealing import KEY_BYTES, Sealer
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import message_queries, messages, objections, sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.moderation.model import ReportReason
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, person

SEALER = Sealer([os.urandom(KEY_BYTES)])


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def town(tx):
    """Ana hosts, Ben and Cleo are going, Mod moderates the community."""
    ana, ben, cleo, mod = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Mod")]
    event = await event_by(tx, ana)
    for one in (ben, cleo):
        await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    return await room_of(tx, ana, subject_of_event(event)), ana, ben, cleo, mod


async def report(tx, who, one, *, to_site=False, words=""):
    return await sanctions.report(tx, who, one.id, ReportReason.ABUSE, words, to_tenant=to_site)


async def sanctions_of(reader, room, who):
    return {(one.kind, one.of_site) for one in await sanctions.sanctions_in(reader, room.id, who.user_id)}


async def stays_removed(tx, host, one):
    with pytest.raises(Refused, match="removed_by_site"):
        await messages.restore(tx, host, one.id, SEALER)
    assert (await message_queries.by_id(tx, one.id)).is_removed


async def test_hosts_cannot_bring_back_what_the_site_removed_after_dismissing_its_reports(db):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        one = await send_text(tx, ben, room, "You fools")
        await report(tx, cleo, one, to_site=True)
        await sanctions.dismiss_reports(tx, mod, one.id, of_site=True)
        await messages.remove(tx, mod, one.id, "No insults", SEALER, of_site=True)
        await stays_removed(tx, ana, one)


async def test_hosts_cannot_bring_back_what_the_site_removed_a_second_time(db):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        one = await send_text(tx, ben, room, "You fools")
        await report(tx, cleo, one, to_site=True)
        await messages.remove(tx, mod, one.id, "No insults", SEALER, of_site=True)
        await messages.restore(tx, mod, one.id, SEALER, of_site=True)
        await messages.remove(tx, mod, one.id, "No insults", SEALER, of_site=True)
        await stays_removed(tx, ana, one)


async def test_a_removal_by_the_site_stays_when_the_report_is_deleted_with_its_account(db):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        one = await send_text(tx, ben, room, "You fools")
        await report(tx, cleo, one, to_site=True)
        await messages.remove(tx, mod, one.id, "No insults", SEALER, of_site=True)
        await tx.execute("delete from chat_reports where reporter_id = :id", id=cleo.user_id)
        await stays_removed(tx, ana, one)
        back = await messages.restore(tx, mod, one.id, SEALER, of_site=True)
        assert (back.body, back.removed_by_site) == ("You fools", False)


async def test_a_host_brings_back_what_a_host_removed_after_the_site_restored_it(db):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        one = await send_text(tx, ben, room, "You fools")
        await report(tx, cleo, one, to_site=True)
        await messages.remove(tx, mod, one.id, "No insults", SEALER, of_site=True)
        await messages.restore(tx, mod, one.id, SEALER, of_site=True)
        await messages.remove(tx, ana, one.id, "Still rude", SEALER)
        assert (await messages.restore(tx, ana, one.id, SEALER)).body == "You fools"


async def test_hosts_can_ban_only_people_of_their_room(db):
    """The page of a room shows the names of banned people, and a ban sends them the reason."""
    async with db.transaction() as tx:
        room, ana, _, _, mod = await town(tx)
        with pytest.raises(NotFound):
            await sanctions.sanction(tx, ana, room.id, mod.user_id, SanctionKind.BAN, reason="Read this")


async def test_hosts_cannot_lift_or_replace_a_ban_by_the_site(db, clock):
    async with db.transaction() as tx:
        room, ana, ben, _, mod = await town(tx)
        await sanctions.sanction(tx, mod, room.id, ben.user_id, SanctionKind.BAN, reason="Threats", of_site=True)
        with pytest.raises(Refused, match="sanctioned_by_site"):
            await sanctions.lift(tx, ana, room.id, ben.user_id)
        soon = tx.now + HOUR
        await sanctions.sanction(tx, ana, room.id, ben.user_id, SanctionKind.BAN, reason="For now", until=soon)
        assert await sanctions_of(tx, room, ben) == {(SanctionKind.BAN, True), (SanctionKind.BAN, False)}
    clock.turn(2 * HOUR)
    async with db.transaction() as tx:
        assert await access(tx, room.id, ben.user_id) is Access.NONE
        with pytest.raises(Refused, match="sanctioned_by_site"):
            await sanctions.lift(tx, ana, room.id, ben.user_id)
        await sanctions.lift(tx, mod, room.id, ben.user_id, kind=SanctionKind.BAN, of_site=True)
        assert await access(tx, room.id, ben.user_id) is Access.WRITE


async def test_hosts_can_lift_only_their_own_sanctions(db):
    async with db.transaction() as tx:
        room, ana, ben, _, mod = await town(tx)
        await sanctions.sanction(tx, mod, room.id, ben.user_id, SanctionKind.BAN, reason="Threats", of_site=True)
        await sanctions.sanction(tx, ana, room.id, ben.user_id, SanctionKind.MUTE, reason="Spam")
        await sanctions.lift(tx, ana, room.id, ben.user_id)
        assert await sanctions_of(tx, room, ben) == {(SanctionKind.BAN, True)}


async def test_lifting_a_site_ban_keeps_the_hosts_mute(db):
    async with db.transaction() as tx:
        room, ana, ben, _, mod = await town(tx)
        await sanctions.sanction(tx, ana, room.id, ben.user_id, SanctionKind.MUTE, reason="Spam")
        await sanctions.sanction(tx, mod, room.id, ben.user_id, SanctionKind.BAN, reason="Threats", of_site=True)
        await sanctions.lift(tx, mod, room.id, ben.user_id, kind=SanctionKind.BAN, of_site=True)
        assert await sanctions_of(tx, room, ben) == {(SanctionKind.MUTE, False)}


async def test_an_objection_goes_to_those_who_removed_the_message(db):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        by_host, by_site = await send_text(tx, ben, room, "Fools"), await send_text(tx, ben, room, "Idiots")
        for one in (by_host, by_site):
            await report(tx, cleo, one, to_site=True)
        await messages.remove(tx, ana, by_host.id, "No insults", SEALER)
        await sanctions.dismiss_reports(tx, mod, by_host.id, of_site=True)
        await messages.remove(tx, mod, by_site.id, "No insults", SEALER, of_site=True)
        for one in (by_host, by_site):
            await objections.object_to(tx, ben, one.id, "It was a quote")
        assert await objections.open_in_room(tx, room.id) == [by_host.id]
        assert [one for one, _ in await objections.waiting_for_site(tx, limit=5)] == [by_site.id]
        assert await objections.count_for_site(tx) == 1
        with pytest.raises(Refused, match="removed_by_site"):
            await objections.uphold(tx, ana, by_site.id)
        assert await objections.count_for_site(tx) == 1
        await objections.uphold(tx, mod, by_site.id, of_site=True)
        await objections.uphold(tx, ana, by_host.id)
        assert await objections.count_for_site(tx) == 0
        assert await objections.open_in_room(tx, room.id) == []


async def test_a_second_report_reaches_the_site_and_no_third_counts(db):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        one = await send_text(tx, ben, room, "You fools")
        assert await report(tx, cleo, one)
        assert not await report(tx, cleo, one, words="Please look")
        await sanctions.dismiss_reports(tx, ana, one.id)
        assert not await report(tx, cleo, one)
        assert await report(tx, cleo, one, to_site=True, words="The hosts do nothing")
        assert await sanctions.open_reports(tx, room.id) == []
        ((told,),) = (await objections.reports_to_site(tx, [one.id])).values()
        assert (told.comment, told.is_open) == ("The hosts do nothing", True)
        await sanctions.dismiss_reports(tx, mod, one.id, of_site=True)
        assert not await report(tx, cleo, one, to_site=True)
        assert not await report(tx, cleo, one)
        assert await objections.count_for_site(tx) == 0


async def is_held(reader, one):
    return (await message_queries.by_id(reader, one.id)).is_held


@pytest.mark.parametrize("by_site", [True, False])
async def test_dismissing_reports_shows_the_message_again(db, by_site):
    async with db.transaction() as tx:
        room, ana, ben, cleo, mod = await town(tx)
        one = await send_text(tx, ben, room, "You fools")
        for who in (ana, cleo):
            await report(tx, who, one, to_site=by_site)
        assert await is_held(tx, one)
        await sanctions.dismiss_reports(tx, mod if by_site else ana, one.id, of_site=by_site)
        assert not await is_held(tx, one)


async def test_dismissing_reports_releases_no_held_message(db):
    async with db.transaction() as tx:
        room, ana, ben, _, mod = await town(tx)
        by_host, by_rule = (
            await send_text(tx, ben, room, "You fools"),
            await send_text(tx, ben, room, "See https://a.example"),
        )
        for one in (by_host, by_rule):
            await report(tx, ana, one, to_site=True)
        await messages.hold(tx, ana, by_host.id)
        for one in (by_host, by_rule):
            await sanctions.dismiss_reports(tx, mod, one.id, of_site=True)
            assert await is_held(tx, one)
