"""Deleting a shadow who is a group member, and a person whose account is about to be merged; on both engines."""

from pathlib import Path

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import NotFound, Refused
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.erasure import actions
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.identities import queries as identities
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as users
from openmeet.domain.users.actions import create_shadow
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.person_erasure import erase, take_due
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import event_by, person

DID = parse_did("did:plc:zqplanted" + "a" * 15)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_a_shadow_member_is_deleted_completely(db: Database, tmp_path: Path) -> None:
    """Membership, answer and name are deleted. The group and the event stay, with one person less."""
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        choir, tea = await group_by(tx, ben, name="Choir"), await event_by(tx, ben)
        shadow = await create_shadow(tx)
        await identities.insert_shadows(tx, {DID: shadow})
        await tx.execute("update identities set handle = 'zqplanted.example', display_name = 'Zqplanted'")
        cleo = Caller(shadow, "")
        await groups.join(tx, cleo, choir.slug)
        await attendance.answer(tx, cleo, tea.slug, RsvpReply.GOING)
        assert await group_queries.find_member(tx, choir.id, shadow) is not None
    asked = await actions.begin(db, shadow, 0)
    await actions.end(db, asked)
    report = await erase(db, erasing_in(tmp_path), shadow)
    assert report is not None
    assert (report.deleted["group_members"], report.deleted["attendances"]) == (1, 1)
    rows = await rows_of_all_tables(db, db.engine)
    assert [name for name, lines in rows.items() if "zqplanted" in str([dict(line) for line in lines]).lower()] == []
    async with db.reader() as reader:
        assert await group_queries.find_member(reader, choir.id, shadow) is None
        assert (await group_queries.by_id(reader, choir.id)).owner_id == ben.user_id


async def test_a_claim_ends_with_its_account(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """A claim that was proven before the request can be confirmed, which keeps the account like signing in. Once rows
    are being deleted, nothing can be merged.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        claim, _ = await account_merge.prove_email(tx, ben.user_id, "ana@example.org")
        assert claim is not None
    await actions.begin(db, ana.user_id, DAY)
    async with db.transaction() as tx:
        await erasure_requests.advance(tx, ana.user_id, ErasureStage.ERASING)
    with pytest.raises(Refused) as refused:
        async with db.transaction() as tx:
            await account_merge.confirm(tx, ben.user_id, claim)
    assert refused.value.name == "BeingDeleted"
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await account_merge.confirm(tx, ben.user_id, claim)
    async with db.reader() as reader:
        assert (await users.by_id(reader, ben.user_id)).display_name == "Ben"
        assert (await reader.fetch_one("select count(*) as n from account_merges"))["n"] == 0


async def test_a_claim_that_is_confirmed_in_time_keeps_the_account(
    db: Database, tmp_path: Path, clock: HandClock
) -> None:
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ana, starts="2026-05-05T18:00", ends="2026-05-05T20:00")
        claim, _ = await account_merge.prove_email(tx, ben.user_id, "ana@example.org")
        assert claim is not None
    await actions.begin(db, ana.user_id, DAY)
    async with db.transaction() as tx:
        await account_merge.confirm(tx, ben.user_id, claim)
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        row = await reader.fetch_one("select author_id, title from events where id = :id", id=tea.id)
        assert (row["author_id"], row["title"]) == (ben.user_id, tea.title)
