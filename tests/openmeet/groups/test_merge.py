"""Account merge in groups; on both engines."""

import pytest

from groundwork.outbox import jobs
from openmeet.domain.account_merge.reassignments import reassign_groups
from openmeet.domain.groups import (
    actions,
    administration,
    announcements,
    followed_dids,
    membership_queries,
    ownership,
    queries,
)
from openmeet.domain.groups.model import GroupRole
from openmeet.outbox.kinds import JobKind
from tests.openmeet.groups.people import add_member, group_by, role_of
from tests.openmeet.site_under_test import person


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def test_nothing_refers_to_the_merged_user(db, engine):
    """Every column that refers to people is checked. The merged user is in none of the group tables."""
    async with db.transaction() as tx:
        old, ana, ben = [await person(tx, name) for name in ("Old", "Ana", "Ben")]
        own = await group_by(tx, old, name="Own")
        await announcements.announce(tx, old, own.slug, "Hello")
        await administration.invite_by_link(tx, old, own.slug)
        await followed_dids.follow(tx, old, own.slug, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
        bens = await group_by(tx, ben, name="Of Ben")
        await actions.follow(tx, old, bens.slug)
        await actions.follow(tx, ana, bens.slug)
        await actions.join(tx, old, bens.slug)
        await ownership.arrange(tx, ben, bens.slug, old.user_id, absence_days=60, wait_days=7)
        await ownership.offer(tx, ben, bens.slug, old.user_id)
        assert await reassign_groups(tx, old.user_id, ana.user_id) == 0
        assert await reassign_groups(tx, old.user_id, ana.user_id) == 0
        assert (await queries.by_id(tx, own.id)).owner_id == ana.user_id
        assert [await role_of(tx, one, ana) for one in (own, bens)] == [GroupRole.OWNER, GroupRole.MEMBER]
        listing = (
            'select m.name as name, f."from" as column from sqlite_master m, pragma_foreign_key_list(m.name) f'
            " where m.type = 'table' and f.\"table\" = 'users' order by 1, 2"
            if engine == "sqlite"
            else "select c.conrelid::regclass::text as name, a.attname as column from pg_constraint c"
            " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]"
            " where c.contype = 'f' and c.confrelid = 'users'::regclass order by 1, 2"
        )
        columns = [(row["name"], row["column"]) for row in await tx.fetch(listing)]
        ours = [(table, column) for table, column in columns if table.rpartition(".")[2].startswith("group")]
        assert len(ours) >= 14
        for table, column in ours:
            found = await tx.fetch_one(f"select count(*) as rows from {table} where {column} = :id", id=old.user_id)
            assert found["rows"] == 0, (table, column)


@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        (GroupRole.OWNER, GroupRole.MEMBER, GroupRole.OWNER),
        (GroupRole.ADMIN, GroupRole.MEMBER, GroupRole.ADMIN),
        (GroupRole.MEMBER, GroupRole.MODERATOR, GroupRole.MODERATOR),
        (GroupRole.BANNED, GroupRole.ADMIN, GroupRole.BANNED),
        (GroupRole.MEMBER, GroupRole.BANNED, GroupRole.BANNED),
        (GroupRole.MEMBER, GroupRole.LEFT, GroupRole.MEMBER),
    ],
)
async def test_the_higher_role_stays_and_so_does_a_ban(db, one, other, stays):
    async with db.transaction() as tx:
        owner = await person(tx, "Olga")
        group = await group_by(tx, owner)
        old = owner if one is GroupRole.OWNER else await add_member(tx, group, owner, "Old")
        ana = await add_member(tx, group, owner, "Ana")
        for who, wanted in ((old, one), (ana, other)):
            match wanted:
                case GroupRole.BANNED:
                    await administration.ban(tx, owner, group.slug, who.user_id)
                case GroupRole.LEFT:
                    await actions.leave(tx, who, group.slug)
                case GroupRole.ADMIN | GroupRole.MODERATOR:
                    await administration.change_role(tx, owner, group.slug, who.user_id, wanted)
                case _:
                    pass
        assert await reassign_groups(tx, old.user_id, ana.user_id) == 1
        assert await role_of(tx, group, ana) is stays
        assert await role_of(tx, group, old) is None
        found = await queries.by_id(tx, group.id)
        assert await role_of(tx, group, type(ana)(found.owner_id, "")) is GroupRole.OWNER


@pytest.mark.parametrize("had_a_role", [True, False])
async def test_a_ban_also_ends_what_the_remaining_account_had(db, had_a_role):
    """The banned account is merged. The remaining account follows the group no longer, and its answers are checked."""
    async with db.transaction() as tx:
        owner = await person(tx, "Olga")
        group = await group_by(tx, owner)
        old = await add_member(tx, group, owner, "Old")
        ana = await add_member(tx, group, owner, "Ana") if had_a_role else await person(tx, "Ana")
        await actions.follow(tx, ana, group.slug)
        await administration.ban(tx, owner, group.slug, old.user_id)
        await reassign_groups(tx, old.user_id, ana.user_id)
        assert await role_of(tx, group, ana) is GroupRole.BANNED
        assert not await membership_queries.is_following(tx, group.id, ana.user_id)
        assert await jobs.find(tx, JobKind.LEFT_GROUP, ana.user_id) is not None
