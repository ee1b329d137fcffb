"""Ownership of a group and its succession; on both engines."""

import asyncio
from contextlib import suppress

import pytest

from groundwork.clock import DAY, HOUR
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from openmeet.domain.groups import (
    actions,
    administration,
    audit_log,
    followed_dids,
    ownership,
    queries,
)
from openmeet.domain.groups.model import LAST_CALL_MAIL, SUCCESSION_MAIL, GroupLogAction, GroupRole
from openmeet.domain.groups.ownership import run_successions
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.emails.groups import succession_composer
from openmeet.network.ingestion.account_deletion import erase_here
from openmeet.outbox.emails import DueEmail
from tests.openmeet.groups.people import add_member, group_by, role_of
from tests.openmeet.site_under_test import person, sign_up, site_on


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.fixture
async def club(db):
    """Ana is the owner, Ben an admin, Cleo a moderator, Dan a member."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben", GroupRole.ADMIN)
        cleo = await add_member(tx, group, ana, "Cleo", GroupRole.MODERATOR)
        dan = await add_member(tx, group, ana, "Dan")
    return group, ana, ben, cleo, dan


async def does(db, act, *args: object, **more: object):
    async with db.transaction() as tx:
        return await act(tx, *args, **more)


async def owner_of(db, group):
    async with db.reader() as reader:
        found = await queries.by_id(reader, group.id)
        owners = await reader.fetch(
            "select user_id from group_members where group_id = :id and role = 'owner' order by user_id", id=group.id
        )
    assert [row["user_id"] for row in owners] == [found.owner_id]
    return found.owner_id


async def acts(db, group):
    async with db.reader() as reader:
        return [line.act for line in reversed(await audit_log.entries(reader, group.id, limit=90))]


async def letters(db):
    """Kinds of the e-mails queued for owners, in job order."""
    async with db.reader() as reader:
        rows = await reader.fetch("select subject from outbox_jobs where kind = 'mail' order by due_at, subject")
    kinds = [row["subject"].split("\x1f")[0] for row in rows]
    return [kind for kind in kinds if kind in {SUCCESSION_MAIL, LAST_CALL_MAIL}]


async def test_accepting_an_offer_transfers_the_group(db, club):
    group, ana, ben, cleo, _ = club
    with pytest.raises(Refused):
        await does(db, actions.leave, ana, group.slug)
    await does(db, ownership.offer, ana, group.slug, ben.user_id)
    with pytest.raises(Refused):
        await does(db, ownership.accept_offer, cleo, group.slug)
    assert await owner_of(db, group) == ana.user_id
    await does(db, ownership.accept_offer, ben, group.slug)
    assert await owner_of(db, group) == ben.user_id
    async with db.reader() as reader:
        assert await role_of(reader, group, ana) is GroupRole.ADMIN
    await does(db, actions.leave, ana, group.slug)
    assert [act for act in await acts(db, group) if act.name.startswith(("OWN", "HAND"))] == [
        GroupLogAction.OWNERSHIP_OFFERED,
        GroupLogAction.HANDED_OVER,
        GroupLogAction.HANDED_OVER,
    ]


@pytest.mark.parametrize("how", ["declined", "taken back", "left", "removed", "banned", "to somebody else"])
async def test_an_offer_ends_in_each_of_these_ways(db, club, how):
    group, ana, ben, cleo, _ = club
    await does(db, ownership.offer, ana, group.slug, ben.user_id)
    match how:
        case "declined":
            await does(db, ownership.end_offer, ben, group.slug)
        case "taken back":
            await does(db, ownership.end_offer, ana, group.slug)
        case "left":
            await does(db, actions.leave, ben, group.slug)
        case "removed":
            await does(db, administration.remove, ana, group.slug, ben.user_id)
        case "banned":
            await does(db, administration.ban, ana, group.slug, ben.user_id)
        case _:
            await does(db, ownership.offer, ana, group.slug, cleo.user_id)
    with pytest.raises((Refused, NotFound)):
        await does(db, ownership.accept_offer, ben, group.slug)
    assert await owner_of(db, group) == ana.user_id


@pytest.mark.parametrize("how", ["left", "removed"])
async def test_an_offer_does_not_outlive_the_membership(db, club, how):
    """Somebody who returns years later does not find the old offer, and the owner's page no longer shows it."""
    group, ana, ben, _, _ = club
    await does(db, ownership.offer, ana, group.slug, ben.user_id)
    if how == "left":
        await does(db, actions.leave, ben, group.slug)
    else:
        await does(db, administration.remove, ana, group.slug, ben.user_id)
    async with db.transaction() as tx:
        assert (await queries.by_id(tx, group.id)).offer is None
        await actions.join(tx, ben, group.slug)
        assert await role_of(tx, group, ben) is GroupRole.MEMBER
    assert (await acts(db, group)).count(GroupLogAction.OFFER_ENDED) == 1
    with pytest.raises(Refused, match=GroupReason.NOT_OFFERED):
        await does(db, ownership.accept_offer, ben, group.slug)


async def test_only_owners_offer_and_only_to_members(db, club):
    group, ana, ben, cleo, _ = club
    async with db.transaction() as tx:
        eve = await person(tx, "Eve")
    with pytest.raises(NotFound):
        await does(db, ownership.offer, ana, group.slug, eve.user_id)
    with pytest.raises(Forbidden):
        await does(db, ownership.offer, ben, group.slug, cleo.user_id)
    with pytest.raises(Refused):
        await does(db, ownership.offer, ana, group.slug, ana.user_id)
    await does(db, ownership.offer, ana, group.slug, ben.user_id)
    with pytest.raises(Forbidden):
        await does(db, ownership.end_offer, cleo, group.slug)


async def test_the_backup_admin_takes_over_by_the_clock(db, club, clock):
    """The absent owner gets one e-mail, and another three days before the end. Then the group passes to its new owner,
    and the log has every step.
    """
    group, ana, _, cleo, _ = club
    await does(db, ownership.arrange, ana, group.slug, cleo.user_id, absence_days=60, wait_days=7)
    clock.turn(59 * DAY)
    assert await run_successions(db) == 0
    clock.turn(1 * DAY)
    assert await run_successions(db) == 1
    assert await run_successions(db) == 0
    assert await letters(db) == [SUCCESSION_MAIL]
    clock.turn(4 * DAY)
    await run_successions(db)
    await run_successions(db)
    assert await letters(db) == [SUCCESSION_MAIL, LAST_CALL_MAIL]
    assert await owner_of(db, group) == ana.user_id
    clock.turn(3 * DAY)
    assert await run_successions(db) == 1
    assert await owner_of(db, group) == cleo.user_id
    assert await run_successions(db) == 0
    assert (await acts(db, group))[-3:] == [
        GroupLogAction.SUCCESSION_ASKED,
        GroupLogAction.TAKEN_OVER,
        GroupLogAction.TAKEN_OVER,
    ]
    await does(db, ownership.reclaim_ownership, ana, group.slug)
    assert await owner_of(db, group) == ana.user_id
    with pytest.raises(Refused):
        await does(db, ownership.reclaim_ownership, cleo, group.slug)


async def test_the_e_mail_to_the_owner_explains_how_to_keep_the_group(db, club, clock):
    group, ana, _, cleo, _ = club
    await does(db, ownership.arrange, ana, group.slug, cleo.user_id, absence_days=60, wait_days=7)
    clock.turn(60 * DAY)
    await run_successions(db)
    compose = succession_composer("Town", "https://town.example")
    letter = await compose(db, DueEmail(SUCCESSION_MAIL, ana.user_id, group.id, 3))
    assert letter.to == "ana@example.org"
    assert letter.subject == "Cleo will take over Chess club"
    assert f"https://town.example/groups/{group.slug}/ownership" in letter.text
    assert "on Thursday 7 May." in letter.text
    last = await compose(db, DueEmail(LAST_CALL_MAIL, ana.user_id, group.id, 3))
    assert last.subject == "Last reminder: Cleo takes over Chess club"
    await does(db, ownership.stop, ana, group.slug)
    assert await compose(db, DueEmail(LAST_CALL_MAIL, ana.user_id, group.id, 3)) is None


async def test_an_active_owner_keeps_the_group(db, club, clock):
    """Any activity after the first e-mail cancels the succession in the next run. The owner does not have to press a
    button.
    """
    group, ana, _, cleo, _ = club
    await does(db, ownership.arrange, ana, group.slug, cleo.user_id, absence_days=60, wait_days=7)
    clock.turn(60 * DAY)
    await run_successions(db)
    clock.turn(DAY)
    await does(db, actions.set_notifications, ana, group.slug, enabled=False)
    async with db.transaction() as tx:
        await tx.execute("update users set updated_at = :now where id = :id", now=tx.now, id=ana.user_id)
    clock.turn(30 * DAY)
    assert await run_successions(db) == 1
    assert await owner_of(db, group) == ana.user_id
    assert (await acts(db, group))[-1] is GroupLogAction.SUCCESSION_STOPPED


async def test_an_owner_who_only_reads_is_not_absent(db, club, clock):
    """Any page opened while signed in counts as activity, which is recorded once a day."""
    group, ana, _, cleo, _ = club
    site = site_on(db, clock)
    await does(db, ownership.arrange, ana, group.slug, cleo.user_id, absence_days=60, wait_days=7)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        clock.turn(59 * DAY)
        async with db.reader() as reader:
            before = await ownership.last_seen(reader, ana.user_id)
        assert (await browser.get("/my/events")).status_code == 200
        clock.turn(HOUR)
        assert (await browser.get("/my/events")).status_code == 200
    async with db.reader() as reader:
        seen = await ownership.last_seen(reader, ana.user_id)
        today = reader.now - reader.now % DAY
    assert before < seen == today
    clock.turn(58 * DAY)
    assert await run_successions(db) == 0
    clock.turn(3 * DAY)
    assert await run_successions(db) == 1


async def test_a_backup_admin_who_left_takes_over_nothing(db, club, clock):
    group, ana, _, cleo, _ = club
    await does(db, ownership.arrange, ana, group.slug, cleo.user_id, absence_days=60, wait_days=7)
    clock.turn(60 * DAY)
    await run_successions(db)
    await does(db, actions.leave, cleo, group.slug)
    clock.turn(30 * DAY)
    await run_successions(db)
    assert await owner_of(db, group) == ana.user_id
    assert await run_successions(db) == 0


async def test_a_succession_is_not_activity_of_the_successor(db, club, clock):
    """Becoming the owner of one group by succession does not count as activity in the person's own groups."""
    group, ana, _, cleo, dan = club
    async with db.transaction() as tx:
        own = await group_by(tx, cleo, name="Readers")
        link = await administration.invite_by_link(tx, cleo, own.slug)
        await administration.accept(tx, dan, link.id)
        await ownership.arrange(tx, cleo, own.slug, dan.user_id, absence_days=60, wait_days=7)
        await ownership.arrange(tx, ana, group.slug, cleo.user_id, absence_days=60, wait_days=7)
    clock.turn(60 * DAY)
    assert await run_successions(db) == 2
    clock.turn(7 * DAY)
    await run_successions(db)
    assert await owner_of(db, own) == dan.user_id


async def test_without_a_backup_admin_the_highest_role_can_ask(db, club, clock):
    group, _, ben, cleo, dan = club
    with pytest.raises(Refused) as refused:
        await does(db, ownership.ask, ben, group.slug)
    assert refused.value.name == "OwnerIsHere"
    clock.turn(90 * DAY)
    with pytest.raises(Refused) as refused:
        await does(db, ownership.ask, cleo, group.slug)
    assert refused.value.name == "NotNextInLine"
    await does(db, actions.leave, ben, group.slug)
    await does(db, actions.leave, cleo, group.slug)
    first = await does(db, ownership.ask, dan, group.slug)
    clock.turn(DAY)
    assert await does(db, ownership.ask, dan, group.slug) == first
    clock.turn(12 * DAY)
    with pytest.raises(Refused):
        await does(db, ownership.take_over, dan, group.slug)
    clock.turn(DAY)
    await does(db, ownership.take_over, dan, group.slug)
    assert await owner_of(db, group) == dan.user_id


async def test_an_owner_who_says_no_keeps_the_group(db, club, clock):
    group, ana, ben, _, _ = club
    clock.turn(90 * DAY)
    await does(db, ownership.ask, ben, group.slug)
    await does(db, ownership.stop, ana, group.slug)
    clock.turn(20 * DAY)
    with pytest.raises(Refused):
        await does(db, ownership.take_over, ben, group.slug)


@pytest.mark.parametrize(
    ("absence", "wait", "field"), [(59, 14, "absence_days"), (731, 14, "absence_days"), (90, 6, "wait_days")]
)
async def test_absence_and_waiting_periods_are_limited(db, club, absence, wait, field):
    group, ana, ben, _, _ = club
    with pytest.raises(InvalidForm) as wrong:
        await does(db, ownership.arrange, ana, group.slug, ben.user_id, absence_days=absence, wait_days=wait)
    assert list(wrong.value.problems) == [field]
    with pytest.raises(Forbidden):
        await does(db, ownership.arrange, ben, group.slug, ben.user_id, absence_days=60, wait_days=7)


async def test_deleting_an_account_leaves_every_group_with_an_owner(db, club):
    """A group passes to the backup admin, or else to the member with the highest role, the longest-standing among
    equals. A group without other members is deleted.
    """
    group, ana, ben, _, dan = club
    async with db.transaction() as tx:
        alone = await group_by(tx, ana, name="Alone")
        other = await group_by(tx, ben, name="Other")
        await actions.join(tx, ana, other.slug)
        await ownership.arrange(tx, ana, group.slug, dan.user_id, absence_days=60, wait_days=7)
    await does(db, ownership.remove_person, ana.user_id)
    await does(db, ownership.remove_person, ana.user_id)
    assert await owner_of(db, group) == dan.user_id
    async with db.reader() as reader:
        assert (await queries.by_id(reader, alone.id)).deleted_at is not None
        assert [await role_of(reader, one, ana) for one in (group, other)] == [GroupRole.LEFT, GroupRole.LEFT]
    await does(db, ownership.remove_person, dan.user_id)
    assert await owner_of(db, group) == ben.user_id


async def test_concurrent_ownership_changes_leave_one_owner(db, club):
    """Accepting, offering to another person, leaving and deleting the account run concurrently. Afterwards one owner is
    left, who is a member.
    """
    group, ana, ben, cleo, _ = club
    await does(db, ownership.offer, ana, group.slug, ben.user_id)

    async def attempt(act, *args: object):
        with suppress(Refused, NotFound, Forbidden):
            await does(db, act, *args)

    await asyncio.gather(
        attempt(ownership.accept_offer, ben, group.slug),
        attempt(ownership.offer, ana, group.slug, cleo.user_id),
        attempt(actions.leave, ana, group.slug),
        attempt(actions.leave, ben, group.slug),
        attempt(ownership.remove_person, cleo.user_id),
        attempt(administration.remove, ana, group.slug, ben.user_id),
    )
    assert await owner_of(db, group) in {ana.user_id, ben.user_id}


@pytest.mark.parametrize("reachable", [False, True], ids=["known by the DID alone", "with an e-mail address"])
async def test_a_deleted_repository_ends_ownership_only_without_another_sign_in(db, club, reachable):
    """A person with another way to sign in keeps their groups. If AT Protocol was the only way, the groups pass to
    others at once.
    """
    group, ana, ben, _, _ = club
    did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
    async with db.transaction() as tx:
        await identities.insert(
            tx, did, ana.user_id, IdentityKind.CONNECTED, handle="ana.example", pds_url="https://pds", is_default=True
        )
        await followed_dids.follow(tx, ana, group.slug, did)
        if not reachable:
            await tx.execute("update users set email = null where id = :id", id=ana.user_id)
        await erase_here(tx, [b"k" * 32], did)
        assert await followed_dids.of_group(tx, group.id) == []
    assert await owner_of(db, group) == (ana.user_id if reachable else ben.user_id)
