"""Blocks that an import stores before its last step: invisible, and removed if the import fails."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.change import RepoChange
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.tid import Tid, from_microseconds
from aurora_locus.repository import hosting, import_car, import_sweep, import_writer
from aurora_locus.repository.export import export
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.repository.writer import StaleHead
from groundwork.clock import HOUR, MINUTE, HandClock
from groundwork.database.transaction import Database, TransactionTooLong, Writer
from groundwork.errors import TooLarge, Unavailable
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.repository.importing import bring, file_of, mover, notes, require_consistent, stored_blocks

__all__ = ["mover"]


def fails(*_arguments: object, **_options: object) -> list[Cid]:
    raise LookupError


async def test_interrupted_import_keeps_the_previous_state(
    mover: HostedRepository, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An import interrupted between storing blocks and moving the head leaves the previous state, and nothing else."""
    await bring(mover, file_of(mover.did, notes("kept"), from_microseconds(clock.now(), 3)), tmp_path)
    before = await require_consistent(mover)
    real = import_writer.store
    monkeypatch.setattr(import_writer, "store", fails)
    with pytest.raises(LookupError):
        await bring(mover, file_of(mover.did, notes("a"), from_microseconds(clock.now(), 3)), tmp_path)
    assert await require_consistent(mover) == before
    monkeypatch.setattr(import_writer, "store", real)
    await bring(mover, file_of(mover.did, notes("a"), from_microseconds(clock.now(), 3)), tmp_path)
    assert set((await require_consistent(mover)).entries) == {f"{NOTE}/a"}


async def test_leftovers_of_a_crash_are_removed_at_the_next_start(
    db: Database, mover: HostedRepository, clock: HandClock, tmp_path: Path
):
    """The leftovers of a crash are removed at the next start: blocks were stored and the process died. The repository
    is the previous one.
    """
    await bring(mover, file_of(mover.did, notes("kept"), from_microseconds(clock.now(), 3)), tmp_path)
    before = await require_consistent(mover)
    head = await mover.repositories.head(mover.did)
    made = sign_commit(mover.key, did=mover.did, rev=mover.repositories.next_rev(head.rev), data=head.data)
    await cut_off(mover, head, made)
    clock.turn(3 * MINUTE)  # on PostgreSQL another process might be importing
    again = await assemble(db, clock, tmp_path)
    assert await require_consistent(HostedRepository(again, mover.did, mover.key)) == before
    await bring(
        HostedRepository(again, mover.did, mover.key),
        file_of(mover.did, notes("b"), made.rev or before.commit.rev),
        tmp_path,
    )


async def cut_off(mover: HostedRepository, head: Head, made: Commit) -> None:
    """The stored blocks of an import whose process was killed before the last step."""
    block = cbor.encode({"$type": NOTE})
    change = RepoChange(f"{NOTE}/new", None, Cid.for_cbor(block))
    db = mover.repositories.db
    await db.write(lambda w: import_writer.begin(w, head, made))
    await db.write(lambda w: import_writer.stage(w, made, [(Cid.for_cbor(block), block, 1)]))
    await db.write(lambda w: import_writer.stage_records(w, made, [change]))


async def test_leftovers_of_a_crash_are_removed_by_the_scheduler(
    mover: HostedRepository, clock: HandClock, tmp_path: Path
):
    """The leftovers of a crash are removed by the scheduler of another process, page by page. An import that is running
    is not touched.
    """
    await bring(mover, file_of(mover.did, notes("kept"), from_microseconds(clock.now(), 3)), tmp_path)
    repositories = mover.repositories
    before = await require_consistent(mover)
    head = await repositories.head(mover.did)
    made = sign_commit(mover.key, did=mover.did, rev=repositories.next_rev(head.rev), data=head.data)
    await cut_off(mover, head, made)
    await repositories.sweep_imports()
    assert len(await stored_blocks(repositories.db, mover.did)) == 5
    clock.turn(3 * MINUTE)
    await repositories.sweep_imports()
    assert await require_consistent(mover) == before


async def test_swept_import_stores_nothing_more(mover: HostedRepository, clock: HandClock):
    repositories = mover.repositories
    head = await repositories.head(mover.did)
    made = sign_commit(mover.key, did=mover.did, rev=repositories.next_rev(head.rev), data=head.data)
    await cut_off(mover, head, made)
    clock.turn(3 * MINUTE)
    await repositories.sweep_imports()
    with pytest.raises(StaleHead):
        await repositories.db.write(lambda w: import_writer.stage_records(w, made, []))


async def test_account_cannot_be_activated_during_an_import(mover: HostedRepository):
    """An account cannot be activated during an import, when index rows of the next state are already stored; after the
    import it can.
    """
    repositories = mover.repositories
    head = await repositories.head(mover.did)
    made = sign_commit(mover.key, did=mover.did, rev=repositories.next_rev(head.rev), data=head.data)
    await cut_off(mover, head, made)
    with pytest.raises(Unavailable):
        await repositories.db.write(lambda w: hosting.activate(w, repositories, mover.did, None))
    assert (await repositories.head(mover.did)).status is HostingStatus.DEACTIVATED
    await import_sweep.sweep(repositories.db, mover.did, Tid(str(made.rev)))
    await repositories.db.write(lambda w: hosting.activate(w, repositories, mover.did, None))


async def test_import_does_not_begin_once_the_account_is_active(ada: HostedRepository):
    """An import does not begin if the account was activated after it was planned, so nothing is stored where it would
    be visible.
    """
    head = replace(await ada.repositories.head(ada.did), status=HostingStatus.DEACTIVATED)
    made = sign_commit(ada.key, did=ada.did, rev=ada.repositories.next_rev(head.rev), data=head.data)
    with pytest.raises(StaleHead):
        await ada.repositories.db.write(lambda w: import_writer.begin(w, head, made))


async def test_large_imports_of_hidden_accounts_need_no_large_last_step(
    mover: HostedRepository, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A large import of an inactive account stores new records in portions before the last step. The size of the last
    step is limited, and the error says so.
    """
    monkeypatch.setattr(import_car, "IN_ONE_STEP", 50)
    monkeypatch.setattr(import_car, "_STAGED_RECORDS", 30)
    monkeypatch.setattr(import_sweep, "_ROWS_AT_ONCE", 30)
    names = [f"k{number:03}" for number in range(200)]
    await bring(mover, file_of(mover.did, notes(*names), from_microseconds(clock.now(), 3)), tmp_path)
    before = await require_consistent(mover)
    assert len(before.entries) == 200
    others = notes(*names[:10], *(f"m{number:03}" for number in range(150)))
    with pytest.raises(TooLarge, match="190 records at once; at most 50"):
        await bring(mover, file_of(mover.did, others, from_microseconds(clock.now(), 3)), tmp_path)
    assert await require_consistent(mover) == before
    more = notes(*names[10:], *(f"m{number:03}" for number in range(150)))
    real = import_writer.store
    monkeypatch.setattr(import_writer, "store", fails)
    with pytest.raises(LookupError):
        await bring(mover, file_of(mover.did, more, from_microseconds(clock.now(), 3)), tmp_path)
    assert await require_consistent(mover) == before
    monkeypatch.setattr(import_writer, "store", real)
    await bring(mover, file_of(mover.did, more, from_microseconds(clock.now(), 3)), tmp_path)
    assert len((await require_consistent(mover)).entries) == 340


async def test_slow_portions_are_halved(
    mover: HostedRepository, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Portions that take too long for one transaction are halved; nothing is lost or stored twice."""
    portions: list[int] = []
    real = import_writer.stage_records

    def slow(w: Writer, made: Commit, changes: Sequence[RepoChange]) -> None:
        portions.append(len(changes))
        real(w, made, changes)
        if len(changes) > 60:
            raise TransactionTooLong("the transaction was open for too long")

    monkeypatch.setattr(import_writer, "stage_records", slow)
    names = [f"k{number:03}" for number in range(200)]
    await bring(mover, file_of(mover.did, notes(*names), from_microseconds(clock.now(), 3)), tmp_path)
    assert portions == [200, 100, 50, 50, 100, 50, 50]
    assert len((await require_consistent(mover)).entries) == 200


async def test_large_import_of_an_active_account_is_refused_with_advice(
    ada: HostedRepository, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(import_car, "IN_ONE_STEP", 50)
    many = notes(*(f"k{number:03}" for number in range(51)))
    with pytest.raises(TooLarge, match="Deactivate the account first"):
        await bring(ada, file_of(ada.did, many, from_microseconds(clock.now(), 3)), tmp_path)
    await require_consistent(ada)


async def test_failed_import_does_not_disturb_a_running_export(
    mover: HostedRepository, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    names = [f"k{number:03}" for number in range(300)]
    await bring(mover, file_of(mover.did, notes(*names), from_microseconds(clock.now(), 3)), tmp_path)
    chunks = export(mover.repositories, mover.did)
    first = await anext(chunks)
    clock.turn(HOUR)
    await bring(mover, file_of(mover.did, notes("a"), from_microseconds(clock.now(), 3)), tmp_path)
    monkeypatch.setattr(import_writer, "store", fails)
    with pytest.raises(LookupError):
        await bring(mover, file_of(mover.did, notes(*names), from_microseconds(clock.now(), 3)), tmp_path)
    data = first + b"".join([chunk async for chunk in chunks])
    assert len(read_snapshot(car.read(data)).entries) == 300
    assert len((await require_consistent(mover)).entries) == 1
