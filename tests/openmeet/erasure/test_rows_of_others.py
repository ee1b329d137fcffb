"""References to a deleted person in other people's rows, logs, jobs and invitations; on both engines."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Engine
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.invitation_queries import of_series as invitations_to_series
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.events import co_host_queries, co_hosts
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import audit_log
from openmeet.domain.groups.model import GroupDetails, GroupLogAction
from openmeet.domain.identities import actions as identities
from openmeet.domain.sign_in.actions import ask_for_code
from openmeet.network.ingestion.person_erasure import take_due
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.erasure.erasure_context import erasing_in, request_deletion
from tests.openmeet.series.practice import NOW, create_weekly_series
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_references_in_logs_and_jobs_are_deleted(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """The DID is removed from the log of a group that followed it, and the person's sign-in code is deleted, but nobody
    else's.
    """
    did = parse_did("did:plc:" + "b" * 24)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await identities.link(tx, did, ana.user_id, handle="ana.example", pds_url="https://pds.example")
        choir = await groups.create(tx, ben, GroupDetails(name="Choir", time_zone="UTC"))
        await audit_log.add(
            tx, choir.id, ben.user_id, GroupLogAction.DID_FOLLOWED, by=ben.user_id, note=did, before=None, after=None
        )
        await ask_for_code(tx, "ana@example.org")
        await ask_for_code(tx, "diana@example.org")
    await request_deletion(db, ana, DAY)
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    async with db.reader() as reader:
        notes = [row["note"] for row in await reader.fetch("select note from group_roles_log")]
        codes = [row["subject"] for row in await reader.fetch("select subject from outbox_jobs where kind = 'mail'")]
    assert did not in notes
    assert len([subject for subject in codes if "ana@example.org" in subject]) == 1
    assert len([subject for subject in codes if "diana@example.org" in subject]) == 1


async def test_an_invitation_to_their_address_is_deleted(
    db: Database, engine: Engine, tmp_path: Path, clock: HandClock
) -> None:
    """An invitation in a separate row is deleted too. The row exists if the person had already answered, which the host
    may not know.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ben)
        await attendance.answer(tx, ana, tea.slug, RsvpReply.GOING)
        await invitations.invite(tx, ben, tea.slug, "ana@example.org")
    assert "attendances" in _tables_with(await rows_of_all_tables(db, engine), "ana@example.org")
    await request_deletion(db, ana, DAY)
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    assert _tables_with(await rows_of_all_tables(db, engine), "ana@example.org") == []


async def test_rows_of_a_former_owner_of_the_address_stay(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Ben was invited under an address that is now Ana's. He keeps his answer, his co-hosting and his place in the
    series, without the address.
    """
    clock.turn(NOW - clock.now())
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        await tx.execute("update users set email = 'old@example.org' where id = :id", id=ben.user_id)
        tea = await event_by(tx, cleo, starts="2027-01-25T18:00", ends="2027-01-25T20:00")
        _, practice = await create_weekly_series(tx)
        await invitations.invite(tx, cleo, tea.slug, "old@example.org")
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
        invited = await co_hosts.invite(tx, cleo, tea.slug, "old@example.org")
        await co_hosts.accept(tx, ben, invited.id)
        for who in (ben, ana):
            await tx.execute(
                "insert into event_series_invitations (series_id, user_id, invited_by, invited_as, created_at)"
                " values (:series, :who, :by, 'old@example.org', :now)",
                series=practice.id,
                who=who.user_id,
                by=ana.user_id,
                now=tx.now,
            )
        await tx.execute("update users set email = null where id = :id", id=ben.user_id)
        await tx.execute("update users set email = 'old@example.org' where id = :id", id=ana.user_id)
    await request_deletion(db, ana, DAY)
    clock.turn(2 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    async with db.reader() as reader:
        assert (await find_attendance(reader, tea.id, ben.user_id)).status is AttendanceStatus.ATTENDING
        hosts = await co_host_queries.co_hosts_of(reader, [tea.id])
        assert hosts == {tea.id: [ben.user_id]}
        series = await invitations_to_series(reader, practice.id, limit=10)
        assert [(one.user_id, one.invited_as) for one in series] == [(ben.user_id, "…")]
    assert _tables_with(await rows_of_all_tables(db, db.engine), "old@example.org") == []


def _tables_with(rows: dict[str, list[Mapping[str, object]]], text: str) -> list[str]:
    return [table for table, lines in rows.items() if text in str(lines)]
