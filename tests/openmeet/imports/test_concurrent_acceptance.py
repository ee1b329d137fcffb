"""Two people use one invitation of a list at the same time; on both engines."""

from contextlib import suppress
from itertools import count

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.groups.queries import find_member
from openmeet.domain.imports import people, queries
from openmeet.domain.imports.model import ContactRow, ImportKind, PersonId
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.site_under_test import person


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_an_invitation_lets_one_person_in(db: Database) -> None:
    """The addressee passed their link on, and both open it."""
    async with db.transaction() as tx:
        host = await person(tx, "Host")
        group = await groups.create(tx, host, GroupDetails(name="Choir", time_zone="UTC"))
    for at in count(1):
        async with db.transaction() as tx:
            ana, ben = await person(tx, f"Ana {at}"), await person(tx, f"Ben {at}")
            row = ContactRow(1, "Ana", f"ana{at}@example.net", status="", note="")
            await queries.add_contacts(tx, ImportKind.MEMBERS, group.id, [row], host.user_id)
            (contact,) = await queries.uninvited_contacts(tx, ImportKind.MEMBERS, group.id, 2)
            await people.invite(tx, host, ImportKind.MEMBERS, group.slug, message="", expected=1)
        is_stopped = await run_interleaved(db, accepting(ana, contact.id), accepting(ben, contact.id), at)
        async with db.reader() as reader:
            members = [one for one in (ana, ben) if await find_member(reader, group.id, one.user_id)]
        assert len(members) == 1, at
        if not is_stopped:
            break
    assert at > 3


def accepting(who: Caller, invitation: PersonId) -> Work:
    async def accept(tx: Transaction) -> None:
        # The second one is told that the invitation has been used.
        with suppress(Refused):
            await people.accept(tx, who, invitation)

    return accept
