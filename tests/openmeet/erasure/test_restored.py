"""After a restore from an older backup, accounts are erased and merged again according to the ledger; on both engines."""

from pathlib import Path

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.events import queries as events
from openmeet.domain.identities import queries as identities
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import erasure_requests, guests
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import person_erasure
from openmeet.network.ingestion.person_erasure import ErasureReplay, note_merges
from tests.databases import MakeDatabase
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.site_under_test import event_by, person

GRACE = 14 * DAY


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_a_restored_backup_is_erased_again(db: Database, tmp_path: Path) -> None:
    """The ledger contains the ids of erased people and nothing else about them. A truncated line does not stop the
    rest.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    ledger = erasing_in(tmp_path).ledger
    ledger.note(ana.user_id, db_now=tx.now)
    ledger.note(ana.user_id, db_now=tx.now)
    with ledger.path.open("ab") as file:
        file.write(b'{"userId": "cut')
    assert ledger.people() == [ana.user_id]
    assert "Ana" not in ledger.path.read_text()
    async with db.transaction() as tx:
        guest = await guests.make(tx, display_name="Gus", email="gus@example.org")
    ledger.note(guest, db_now=tx.now)
    assert await person_erasure.erase_again(db, erasing_in(tmp_path), GRACE) == ErasureReplay(2, 0, 0)
    assert await person_erasure.erase_again(db, erasing_in(tmp_path), GRACE) == ErasureReplay(0, 0, 0)
    async with db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == ""
        assert (await users.by_id(reader, guest)).display_name == ""
        assert await guests.find(reader, guest) is None


async def test_merged_accounts_are_merged_again_after_a_restore(db: Database, tmp_path: Path) -> None:
    """Chains of merges are followed. If the remaining person was erased later, the merged accounts are erased instead.
    An older account stays if the other one is not in the backup.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dan = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dan")]
        tea = await event_by(tx, ana)
    async with db.transaction() as tx:
        before = [dict(row) for row in await tx.fetch("select * from users order by id")]
        await merge(tx, ana.user_id, ben.user_id)
        await merge(tx, ben.user_id, cleo.user_id)
    ledger = erasing_in(tmp_path).ledger
    assert await note_merges(db, ledger) == 2
    assert await note_merges(db, ledger) == 0
    ledger.note(dan.user_id, db_now=tx.now, merged_into="younger than the backup")
    async with db.transaction() as tx:
        await _bring_back(tx, before)
    assert await person_erasure.erase_again(db, erasing_in(tmp_path), GRACE) == ErasureReplay(0, 2, 0)
    async with db.reader() as reader:
        assert [await users.by_id(reader, one.user_id) for one in (ana, ben)] == [None, None]
        assert (await events.by_id(reader, tea.id)).author_id == cleo.user_id
        assert (await users.by_id(reader, dan.user_id)).display_name == "Dan"
    async with db.transaction() as tx:
        await _bring_back(tx, before)
    ledger.note(cleo.user_id, db_now=tx.now)
    assert await person_erasure.erase_again(db, erasing_in(tmp_path), GRACE) == ErasureReplay(3, 0, 0)
    async with db.reader() as reader:
        assert (await users.by_id(reader, cleo.user_id)).display_name == ""
    assert set(ledger.people()) == {ana.user_id, ben.user_id, cleo.user_id}


async def test_one_failure_does_not_stop_the_others(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused merge and a failed deletion are counted, and the next run does the rest. Other requests in the backup
    get a new grace period.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dan, eve, fay = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dan", "Eve", "Fay")]
        for who in (ana, ben):
            await identities.put_custodial_account(
                tx,
                who.user_id,
                handle=f"{who.display_name}.example",
                email=f"{who.display_name}@example.org",
                sealed_password=b"sealed",
            )
        await erasure_requests.put(tx, fay.user_id, Instant(tx.now))
    ledger = erasing_in(tmp_path).ledger
    ledger.note(ana.user_id, db_now=tx.now, merged_into=ben.user_id)
    for who in (cleo, dan, eve):
        ledger.note(who.user_id, db_now=tx.now)
    forget = account_rows.forget

    async def fails_once(tx: Transaction, user_id: UserId) -> dict[str, int]:
        if user_id == cleo.user_id:
            raise ConnectionResetError("the machine stopped")
        return await forget(tx, user_id)

    with monkeypatch.context() as patched:
        patched.setattr(account_rows, "forget", fails_once)
        done = await person_erasure.erase_again(db, erasing_in(tmp_path), GRACE)
    assert done == ErasureReplay(2, 0, 1, (cleo.user_id, ana.user_id))
    clock.turn(1)
    assert await person_erasure.erase_again(db, erasing_in(tmp_path), 0) == ErasureReplay(1, 0, 0, (ana.user_id,))
    async with db.reader() as reader:
        names = [(await users.by_id(reader, who.user_id)).display_name for who in (ana, ben, cleo, dan, eve, fay)]
    assert names == ["Ana", "Ben", "", "", "", "Fay"]


async def test_a_request_newer_than_the_backup_is_made_again(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """The request gets a new grace period. A withdrawn request is not made again. A person who requested the deletion,
    signed in and requested it again is treated as leaving.
    """
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    for who in (ana, ben, cleo):
        await actions.begin(db, who.user_id, GRACE)
    erasing = erasing_in(tmp_path)
    await person_erasure.take_due(db, erasing)
    assert set(erasing.ledger.requests()) == {ana.user_id, ben.user_id, cleo.user_id}
    clock.turn(DAY)
    async with db.transaction() as tx:
        for who in (ben, cleo):
            await open_session(tx, who.user_id, SessionTransport.BROWSER)
    await person_erasure.take_due(db, erasing)
    clock.turn(1)
    await actions.begin(db, cleo.user_id, GRACE)
    await person_erasure.take_due(db, erasing)
    assert set(erasing.ledger.requests()) == {ana.user_id, cleo.user_id}
    lines = erasing.ledger.path.read_text().count("\n")
    await person_erasure.take_due(db, erasing)
    assert erasing.ledger.path.read_text().count("\n") == lines == 6
    # In the backup Ana and Cleo had not made a request yet, and Ben had not withdrawn his.
    async with db.transaction() as tx:
        await tx.execute("delete from account_erasures")
        await erasure_requests.put(tx, ben.user_id, Instant(tx.now + DAY))
        await tx.execute("update account_erasures set requested_at = 0")
    done = await person_erasure.erase_again(db, erasing, GRACE)
    assert done == ErasureReplay(0, 0, 0, requested=2, withdrawn=1)
    assert await person_erasure.erase_again(db, erasing, GRACE) == ErasureReplay(0, 0, 0)
    async with db.reader() as reader:
        for who, is_leaving in ((ana, True), (ben, False), (cleo, True)):
            asked = await erasure_requests.find(reader, who.user_id)
            assert (asked is not None) is is_leaving
            assert asked is None or asked.due_at == clock.now() + GRACE
        assert await reader.fetch("select user_id from sessions where user_id = :id", id=ana.user_id) == []


async def _bring_back(tx: Transaction, rows: list[dict[str, object]]) -> None:
    """Restore the users of a backup in addition to the present ones."""
    for row in rows:
        names = ", ".join(row)
        await tx.execute(
            f"insert into users ({names}) values ({', '.join(':' + name for name in row)}) on conflict do nothing",
            **row,
        )
