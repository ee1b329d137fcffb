"""Actions of two people on one group at the same time; on both engines."""

from contextlib import suppress
from itertools import count

import pytest

from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.groups import actions, administration, membership_queries
from openmeet.domain.groups.model import Group
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.site_under_test import person


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def test_a_banned_person_follows_nothing(db: Database) -> None:
    """Somebody who begins to follow a group at the moment of their ban does not follow it afterwards."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
    for at in count(1):
        async with db.transaction() as tx:
            ben = await person(tx, f"Ben {at}")
            await actions.join(tx, ben, group.slug)
            await actions.leave(tx, ben, group.slug)
        is_stopped = await run_interleaved(db, following(ben, group), banning(ana, ben, group), at)
        async with db.reader() as reader:
            assert not await membership_queries.is_following(reader, group.id, ben.user_id), at
        if not is_stopped:
            break
    assert at > 3


def following(who: Caller, group: Group) -> Work:
    async def follow(tx: Transaction) -> None:
        with suppress(Refused):
            await actions.follow(tx, who, group.slug)

    return follow


def banning(owner: Caller, who: Caller, group: Group) -> Work:
    async def ban(tx: Transaction) -> None:
        await administration.ban(tx, owner, group.slug, who.user_id)

    return ban
