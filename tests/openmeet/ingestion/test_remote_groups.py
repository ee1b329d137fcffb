"""Groups of other repositories are shown as their records say, in any order. A membership needs the records of both
sides, and no role in a record gives permissions on this site.
"""

import re
from itertools import permutations

import pytest

from groundwork.database.transaction import Database
from groundwork.errors import Forbidden, Refused
from openmeet.domain.events import event_records
from openmeet.domain.groups import (
    actions,
    administration,
    membership_queries,
    publication_settings,
    queries,
    record_queries,
)
from openmeet.domain.groups.model import INSIDE, Group, GroupRole, Membership
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import account_deletion
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.remote_groups import MAX_ASKING
from openmeet.network.records import seen
from openmeet.network.records.collections import ACCEPTANCE, GROUP, GROUP_EVENT, GROUP_LINK_KEY, MEMBERSHIP
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.network.records.message import RecordMessage
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.group_and_series_messages import (
    CHESS_URI,
    CID,
    acceptance_message,
    group_flags_on,
    group_message,
    membership_message,
)
from tests.openmeet.ingestion.network import deletion_of, did, event, message, rev
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import person
from tests.simulation.oracle import Change

__all__ = ["group_flags_on"]

pytestmark = pytest.mark.usefixtures("group_flags_on")


def listed(at: int, event_uri: str, author: int = 1, uri: str = CHESS_URI) -> RecordMessage:
    value = {"group": uri, "event": {"uri": event_uri, "cid": CID}, "createdAt": "2026-01-01T00:00:00Z"}
    return message(Change(did(author), GROUP_EVENT, "e", rev(at), value))


async def known(db: Database, uri: str = CHESS_URI) -> Group | None:
    async with db.reader() as reader:
        return await record_queries.by_record(reader, uri)


async def members(db: Database, uri: str = CHESS_URI) -> list[tuple[GroupRole, GroupRole | None]]:
    async with db.reader() as reader:
        found = await record_queries.by_record(reader, uri)
        assert found is not None
        return [
            (one.role, one.network_role)
            for one in await queries.members(reader, found.id, list(GroupRole), after=None, limit=50)
            if one.role in INSIDE
        ]


async def membership_of(db: Database, one: Group, who: Caller) -> Membership | None:
    async with db.reader() as reader:
        return await queries.find_member(reader, one.id, who.user_id)


async def test_a_remote_group_is_read_only(db: Database):
    await apply_messages(
        db, group_message(1, description="We meet.", joining=f"{GROUP}#open", location={"locality": "Graz"})
    )
    one = await known(db)
    assert one is not None
    assert (one.details.name, one.details.description, one.details.locality, one.is_read_only) == (
        "Chess",
        "We meet.",
        "Graz",
        True,
    )
    await apply_messages(db, group_message(2, name="Chess and Go"))
    after = await known(db)
    assert after is not None
    assert (after.id, after.details.name, after.details.description) == (one.id, "Chess and Go", "")
    await apply_messages(db, deletion_of(group_message(2), 3))
    gone = await known(db)
    assert gone is not None
    assert gone.deleted_at is not None


async def test_a_popular_name_has_enough_slugs(db: Database):
    """Ten random characters do not collide among ten thousand groups of one name."""
    await apply_messages(db, group_message(1))
    one = await known(db)
    assert one is not None
    assert re.fullmatch(r"chess-[2-9a-z]{10}", one.slug)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_membership_needs_both_sides_in_any_order(db: Database, order):
    """The group decides the role. On this site the role is only a label: everybody is an ordinary member."""
    all_of_it = [group_message(1), membership_message(1), acceptance_message(1, role=GroupRole.ADMIN)]
    await apply_messages(db, *(all_of_it[number] for number in order))
    assert await members(db) == [(GroupRole.MEMBER, GroupRole.ADMIN)]


@pytest.mark.parametrize("role", INSIDE)
async def test_remote_roles_give_no_permissions_here(db: Database, role: GroupRole):
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(2), handle="ben.example", pds_url="https://pds.example")
    ben = Caller(user_id, "Ben")
    await apply_messages(db, group_message(1), membership_message(1), acceptance_message(1, role=role))
    assert await members(db) == [(GroupRole.MEMBER, role)]
    one = await known(db)
    assert one is not None
    async with db.transaction() as tx:
        for forbidden in (
            administration.invite_by_link(tx, ben, one.slug),
            administration.change_role(tx, ben, one.slug, user_id, GroupRole.ADMIN),
            actions.delete(tx, ben, one.slug),
            actions.edit(tx, ben, one.slug, one.details),
            publication_settings.open_account(tx, ben, one.slug, "x.example"),
        ):
            with pytest.raises((Refused, Forbidden)):
                await forbidden


async def test_membership_needs_the_records_of_both_sides(db: Database):
    """The person's record alone is not enough, nor is the group's. An acceptance by a third person or for another
    record does not count either.
    """
    await apply_messages(db, group_message(1), membership_message(1, role=ROLE_TOKENS[GroupRole.OWNER]))
    await apply_messages(db, acceptance_message(2, member=3))
    await apply_messages(db, acceptance_message(3, member=2, author=2), acceptance_message(4, member=2, author=4))
    stolen = {"uri": f"at://{did(3)}/{MEMBERSHIP}/m", "cid": CID}
    await apply_messages(db, acceptance_message(5, member=2, membership=stolen))
    assert await members(db) == []


@pytest.mark.parametrize("who", ["member", "group", "both"])
async def test_either_side_can_end_a_membership(db: Database, who: str):
    await apply_messages(db, group_message(1), membership_message(1), acceptance_message(1))
    assert await members(db) == [(GroupRole.MEMBER, GroupRole.MEMBER)]
    if who != "group":
        await apply_messages(db, deletion_of(membership_message(1), 2))
    if who != "member":
        await apply_messages(db, deletion_of(acceptance_message(1), 3))
    assert await members(db) == []
    await apply_messages(db, membership_message(4), acceptance_message(4))
    assert await members(db) == [(GroupRole.MEMBER, GroupRole.MEMBER)]


async def test_an_acceptance_changed_to_another_member_ends_the_first(db: Database):
    await apply_messages(
        db, group_message(1), membership_message(1), membership_message(1, author=3), acceptance_message(1)
    )
    moved = acceptance_message(2, member=3)
    await apply_messages(
        db, message(Change(did(1), ACCEPTANCE, "a2", rev(3), {"group": CHESS_URI, "member": did(3)})), moved
    )
    assert await members(db) == [(GroupRole.MEMBER, GroupRole.MEMBER)]
    async with db.reader() as reader:
        one = await record_queries.by_record(reader, CHESS_URI)
        assert one is not None
        (left,) = await queries.members(reader, one.id, [GroupRole.LEFT], after=None, limit=9)
        assert left.statement_uri is not None


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_an_event_belongs_to_a_group_if_both_sides_say_so(db: Database, order):
    made = event(2, "tea", 1, "Tea", **{GROUP_LINK_KEY: {"group": CHESS_URI}})
    all_of_it = [group_message(1), made, listed(2, made.uri)]
    await apply_messages(db, *(all_of_it[number] for number in order))
    one = await known(db)
    async with db.reader() as reader:
        kept = await event_records.by_record_uri(reader, made.uri)
    assert one is not None
    assert kept is not None
    assert kept.group is not None
    assert kept.group.id == one.id
    await apply_messages(db, event(2, "tea", 5, "Tea"))
    async with db.reader() as reader:
        kept = await event_records.by_record_uri(reader, made.uri)
    assert kept is not None
    assert kept.group is None


async def test_one_sides_word_adds_no_event_to_a_group(db: Database):
    """The event's record alone is not enough, nor is the group's. A listing by a third person does not count either."""
    claims = event(2, "claims", 1, "Tea", **{GROUP_LINK_KEY: {"group": CHESS_URI}})
    listed_only = event(3, "listed", 1, "Go")
    await apply_messages(
        db, group_message(1), claims, listed_only, listed(2, listed_only.uri), listed(3, claims.uri, author=2)
    )
    async with db.reader() as reader:
        for uri in (claims.uri, listed_only.uri):
            kept = await event_records.by_record_uri(reader, uri)
            assert kept is not None
            assert kept.group is None
    own = event(1, "own", 4, "Own", **{GROUP_LINK_KEY: {"group": CHESS_URI}})
    await apply_messages(db, own)
    async with db.reader() as reader:
        kept = await event_records.by_record_uri(reader, own.uri)
    assert kept is not None
    assert kept.group is not None


OLD = f"at://{did(9)}/{GROUP}/chess"


@pytest.mark.parametrize("way", ["successor", "backup", "neither"])
@pytest.mark.parametrize("old_first", [True, False])
async def test_a_group_is_succeeded_by_its_record_or_backup_admin(db: Database, way: str, old_first: bool):
    """Memberships of the old group then count for the new one. Anybody else's claim to be its successor is ignored."""
    fields = {"successor": {"successor": CHESS_URI}, "backup": {"backupAdmins": [did(1)]}, "neither": {}}[way]
    old = group_message(1, author=9, **fields)
    new = group_message(2, predecessor={"uri": OLD, "cid": CID})
    await apply_messages(
        db, *((old, new) if old_first else (new, old)), membership_message(3, uri=OLD), acceptance_message(4)
    )
    assert await members(db) == ([] if way == "neither" else [(GroupRole.MEMBER, GroupRole.MEMBER)])


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_a_group_is_succeeded_twice(db: Database, order: tuple[int, ...]):
    """The oldest record names the present one as its successor, not the one in between, as this installation writes it.
    Memberships of the oldest group count for the present one, in whichever order the records arrive.
    """
    middle = f"at://{did(8)}/{GROUP}/chess"
    sent = [
        group_message(1, author=9, successor=CHESS_URI),
        group_message(2, author=8, predecessor={"uri": OLD, "cid": CID}, successor=CHESS_URI),
        group_message(3, predecessor={"uri": middle, "cid": CID}),
        membership_message(4, uri=OLD),
    ]
    await apply_messages(db, acceptance_message(5))
    for number in order:
        await apply_messages(db, sent[number])
    assert await members(db) == [(GroupRole.MEMBER, GroupRole.MEMBER)]


async def test_a_group_in_between_must_name_the_next(db: Database):
    """Otherwise anybody could claim the members of a group by claiming to be between it and their own."""
    middle = f"at://{did(8)}/{GROUP}/chess"
    await apply_messages(
        db,
        group_message(1, author=9, successor=middle),
        group_message(2, author=8, predecessor={"uri": OLD, "cid": CID}),
        group_message(3, predecessor={"uri": middle, "cid": CID}),
        membership_message(4, uri=OLD),
        acceptance_message(5),
    )
    assert await members(db) == []


async def test_a_membership_record_for_a_local_group_is_a_request(db: Database):
    """People known only by DID wait for approval, people who sign in on this site join an open group, and banned people
    cannot join.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        ours = await group_by(tx, ana, join_policy="open", sync_enabled="on")
        await record_queries.set_record(tx, ours.id, CHESS_URI, CID)
        ben = Caller(await identities.connect(tx, did(2), handle="b.example", pds_url="https://p.example"), "Ben")
        cleo = Caller(await identities.connect(tx, did(3), handle="c.example", pds_url="https://p.example"), "Cleo")
        dora = Caller(await identities.person_for_did(tx, did(4)), "Dora")
        await actions.join(tx, cleo, ours.slug)
        await administration.ban(tx, ana, ours.slug, cleo.user_id)
    mine = membership_message(1, role=ROLE_TOKENS[GroupRole.OWNER])
    await apply_messages(db, mine, membership_message(1, author=3), membership_message(1, author=4))
    found = [await membership_of(db, ours, who) for who in (ben, cleo, dora)]
    assert [one.role for one in found if one] == [GroupRole.MEMBER, GroupRole.BANNED, GroupRole.PENDING]
    async with db.transaction() as tx:
        await administration.change_role(tx, ana, ours.slug, ben.user_id, GroupRole.ADMIN)
    await apply_messages(db, membership_message(2, role=ROLE_TOKENS[GroupRole.OWNER]), membership_message(3))
    assert (await membership_of(db, ours, ben)).role is GroupRole.ADMIN
    async with db.transaction() as tx:
        await administration.remove(tx, ana, ours.slug, ben.user_id)
    await apply_messages(db, membership_message(3))
    assert (await membership_of(db, ours, ben)).role is GroupRole.LEFT
    await apply_messages(db, deletion_of(membership_message(1, author=4), 5))
    assert (await membership_of(db, ours, dora)).role is GroupRole.LEFT


async def test_deleting_the_membership_record_leaves_the_group(db: Database):
    """Deleting the membership record enqueues the job that frees the person's places at the group's events."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        ours = await group_by(tx, ana, join_policy="open", sync_enabled="on")
        await record_queries.set_record(tx, ours.id, CHESS_URI, CID)
        ben = Caller(await identities.connect(tx, did(2), handle="b.example", pds_url="https://p.example"), "Ben")
    await apply_messages(db, membership_message(1))
    assert (await membership_of(db, ours, ben)).role is GroupRole.MEMBER
    await apply_messages(db, deletion_of(membership_message(1), 2))
    left = await membership_of(db, ours, ben)
    assert (left.role, left.statement_uri) == (GroupRole.LEFT, None)
    async with db.reader() as reader:
        jobs = await reader.fetch("select subject from outbox_jobs where kind = 'left_group'")
    assert [row["subject"] for row in jobs] == [ben.user_id]


async def test_a_crowd_of_new_identities_does_not_fill_a_group(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("openmeet.network.ingestion.remote_groups.MAX_ASKING", 3)
    assert MAX_ASKING == 200
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        ours = await group_by(tx, ana, join_policy="open", sync_enabled="on")
        await record_queries.set_record(tx, ours.id, CHESS_URI, CID)
    await apply_messages(db, *(membership_message(1, author=number) for number in range(2, 9)))
    async with db.reader() as reader:
        assert (
            len(await membership_queries.ids_in_roles(reader, ours.id, [GroupRole.PENDING], only_notified=False)) == 3
        )
        assert len(await membership_queries.ids_in_roles(reader, ours.id, INSIDE, only_notified=False)) == 1


async def test_a_group_without_local_members_is_not_listed(db: Database):
    """Anybody can write records, so a group is listed only after a person who signs in on this site asks to join it."""
    await apply_messages(db, group_message(1))
    async with db.transaction() as tx:
        ben = Caller(await identities.connect(tx, did(2), handle="b.example", pds_url="https://p.example"), "Ben")
        assert await membership_queries.listed(tx, [], None, after=None, limit=9) == []
    one = await known(db)
    assert one is not None
    async with db.transaction() as tx:
        with pytest.raises(Refused, match=GroupReason.KEPT_ELSEWHERE):
            await actions.join(tx, ben, one.slug)
        asking = await publication_settings.show_membership(tx, ben, one.slug, is_public=True)
        assert (asking.role, asking.sync_enabled) == (GroupRole.PENDING, True)
        assert [found.group.id for found in await membership_queries.listed(tx, [], None, after=None, limit=9)] == [
            one.id
        ]
        after = await publication_settings.show_membership(tx, ben, one.slug, is_public=False)
        assert (after.role, after.sync_enabled) == (GroupRole.LEFT, False)


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": 7}, {"$type": "com.example.group"}])
async def test_an_invalid_group_is_kept_raw(db: Database, fields):
    assert await apply_messages(db, group_message(1, **fields)) == [IngestResult.RAW]
    assert await known(db) is None
    async with db.reader() as reader:
        (raw,) = await seen.unmapped(reader)
    assert raw.reason


async def test_erasing_an_account_erases_its_group_and_statements(db: Database):
    await apply_messages(db, group_message(1), membership_message(1), acceptance_message(1))
    for _ in range(2):  # twice, because a crash can repeat it
        async with db.transaction() as tx:
            await account_deletion.erase_here(tx, [bytes(32)], did(1))
    assert await known(db) is None
    async with db.reader() as reader:
        (left,) = await reader.fetch("select * from groups")
        rows = await reader.fetch("select uri from group_statements where did = :did", did=did(1))
    assert rows == []
    assert (left["name"], left["deleted_at"] is not None) == ("", True)
    assert left["external_cid"] is left["predecessor_uri"] is None
    assert not [value for value in left if did(1) in str(value)], "the owner of the record is not known"  # type: ignore[attr-defined]  # what it is besides its contract
