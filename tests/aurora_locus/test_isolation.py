"""Scheduled tasks: an item that fails is logged and tried again in the next round, and the others are processed."""

from collections.abc import Callable
from typing import Any

import pytest

from at_protocol.data.cid import Cid
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from aurora_locus.accounts import deletion, hosting_status, signing_key_change
from aurora_locus.blobs import removals
from aurora_locus.blobs.sweep import sweep, sweep_all
from aurora_locus.blobs.uploads import object_name
from aurora_locus.identity import plc_updates
from aurora_locus.moderation import subject_actions, takedowns
from aurora_locus.moderation.roles import AuditContext, OperatorRole, PdsOperator
from aurora_locus.moderation.subject_actions import SubjectStatusRequest
from aurora_locus.repository import commit
from groundwork.clock import DAY, HOUR, SECOND, HandClock
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Unavailable
from tests.aurora_locus.blobs.uploading import has_file, send
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.hosted_repository import HostedRepository


def failing(original: Callable[..., Any], place: int, value: object) -> Callable[..., Any]:
    """The function, which fails if the argument at this place has this value."""

    def call(*arguments: Any, **named: Any) -> Any:
        if arguments[place] == value:
            raise LookupError("this one fails")
        return original(*arguments, **named)

    return call


async def three(deployment: Deployment) -> list[Person]:
    return [await deployment.sign_up(name) for name in ("ana", "ben", "eva")]


async def test_deletion_that_fails_does_not_block_the_next(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await three(deployment)
    for number, person in enumerate(people):
        until = format_datetime(deployment.clock.now() + (5 + number) * DAY)
        await person.post(f"{SERVER}.deactivateAccount", {"deleteAfter": until})
    deployment.clock.turn(10 * DAY)
    registry = deployment.pds.registry
    with monkeypatch.context() as patched:
        patched.setattr(deletion, "_remove", failing(deletion._remove, 2, people[0].did))
        assert await deletion.delete_forgotten(registry) == 2
    assert await deployment.count("accounts") == 1
    assert await deletion.delete_forgotten(registry) == 1


async def test_suspension_whose_end_fails_does_not_block_the_next(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await three(deployment)
    registry = deployment.pds.registry
    audit = AuditContext(PdsOperator("mo", OperatorRole.MODERATOR), "cool down")
    for number, person in enumerate(people):
        until = deployment.clock.now() + (1 + number) * DAY
        await subject_actions.decide_account(
            registry, audit, person.did, SubjectStatusRequest(suspended=True, suspended_until=until)
        )
    deployment.clock.turn(4 * DAY)
    with monkeypatch.context() as patched:
        patched.setattr(takedowns, "end_suspension", failing(takedowns.end_suspension, 1, people[0].did))
        assert await subject_actions.end_suspensions(registry) == 2
    assert await subject_actions.end_suspensions(registry) == 1
    assert await subject_actions.end_suspensions(registry) == 0


async def test_signature_that_fails_does_not_block_the_next(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await three(deployment)
    registry = deployment.pds.registry

    def enqueue(w: Writer) -> None:
        for number, person in enumerate(people):
            w.execute(signing_key_change._ENQUEUE, did=person.did, now=w.now + number)

    await registry.db.write(enqueue)
    with monkeypatch.context() as patched:
        patched.setattr(commit, "recommit", failing(commit.recommit, 1, people[0].did))
        assert await signing_key_change.finish_commits(registry) == 2
    assert await signing_key_change.finish_commits(registry) == 1
    assert await signing_key_change.finish_commits(registry) == 0


async def test_identity_whose_check_fails_has_its_next_turn_after_the_others(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await three(deployment)
    registry = deployment.pds.registry
    deployment.clock.turn(hosting_status.CHECK_INTERVAL + SECOND)
    checked: list[Did] = []

    async def note(_registry: object, did: Did, _claim: object) -> bool:
        checked.append(did)
        if did == people[0].did:
            raise LookupError("this one fails")
        return False

    monkeypatch.setattr(hosting_status, "CHECKS_PER_ROUND", 1)
    monkeypatch.setattr(hosting_status, "note", note)
    for _ in people:
        await hosting_status.recheck_due(registry)
    assert sorted(checked) == sorted(person.did for person in people)


async def test_repair_that_fails_does_not_block_the_next(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await three(deployment)
    plc = deployment.pds.registry.plc
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select did, cid from plc_operations order by created_at")
    await deployment.db.write(lambda w: w.execute("update plc_operations set state = 'ending'"))
    deployment.clock.turn(HOUR)
    with monkeypatch.context() as patched:
        patched.setattr(plc_updates, "_revert", failing(plc_updates._revert, 1, rows[0]["did"]))
        assert await plc_updates.repair(plc) == 1
    assert await plc_updates.repair(plc) == 0
    assert not {person.did for person in people} & await deployment.directory.living()


async def queued(ada: HostedRepository, contents: list[bytes]) -> list[Cid]:
    """Upload these, and queue the removal of their files in this order."""
    cids = [(await send(ada, content)).cid for content in contents]

    def drop(w: Writer) -> None:
        w.execute("delete from blobs")
        for number, cid in enumerate(cids):
            w.execute(removals._ENQUEUE, did=ada.did, cid=bytes(cid), now=w.now + number)

    await ada.repositories.db.write(drop)
    return cids


def break_files(monkeypatch: pytest.MonkeyPatch, ada: HostedRepository, cids: list[Cid]) -> list[str]:
    """Make the removal of these files fail. Returns the list of failed attempts."""
    store = ada.repositories.blobs.store
    remove, attempts = store.delete, []
    keys = {object_name(ada.did, cid) for cid in cids}

    async def delete(key: str) -> bool:
        if key in keys:
            attempts.append(key)
            raise Unavailable("This file cannot be removed.")
        return await remove(key)

    monkeypatch.setattr(store, "delete", delete)
    return attempts


async def test_file_that_cannot_be_removed_does_not_block_the_next(
    ada: HostedRepository, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cids = await queued(ada, [b"one", b"two", b"three"])
    with monkeypatch.context() as patched:
        break_files(patched, ada, cids[:1])
        await sweep(ada.repositories.blobs, clock.now())
        assert [await has_file(ada, cid) for cid in cids] == [True, False, False]
    clock.turn(removals.CLAIM + SECOND)
    await sweep(ada.repositories.blobs, clock.now())
    assert not await has_file(ada, cids[0])


async def test_files_of_one_request_fail_alone(
    ada: HostedRepository, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cids = await queued(ada, [b"one", b"two", b"three"])
    break_files(monkeypatch, ada, cids[:1])
    async with ada.repositories.blobs.locks.hold(ada.did):
        assert await ada.repositories.blobs.remove_due(ada.did, cids) == 2
    assert [await has_file(ada, cid) for cid in cids] == [True, False, False]


async def test_unavailable_store_is_asked_a_few_times_and_then_for_other_files(
    ada: HostedRepository, clock: HandClock, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep gives up after a few failures in a row, because each may take a long time-out. The next one begins with
    files that were not tried yet.
    """
    cids = await queued(ada, [bytes([number]) for number in range(60)])
    clock.turn(SECOND)
    with monkeypatch.context() as patched:
        attempts = break_files(patched, ada, cids)
        with pytest.raises(Unavailable):
            await sweep(ada.repositories.blobs, clock.now())
        assert len(attempts) == 20
    clock.turn(removals.CLAIM + SECOND)
    break_files(monkeypatch, ada, cids[:40])
    with pytest.raises(Unavailable):
        await sweep(ada.repositories.blobs, clock.now())
    clock.turn(removals.CLAIM + SECOND)
    with pytest.raises(Unavailable):
        await sweep(ada.repositories.blobs, clock.now())
    assert [cid for cid in cids if await has_file(ada, cid)] == cids[:40]


async def test_upload_whose_deletion_fails_does_not_block_the_next(
    ada: HostedRepository, clock: HandClock, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (await send(ada, b"one")).cid, (await send(ada, b"two")).cid
    clock.turn(7 * HOUR)
    with monkeypatch.context() as patched:
        patched.setattr(removals, "enqueue", failing(removals.enqueue, 2, [first]))
        swept = await sweep_all(ada.repositories.blobs, clock.now())
    assert swept.uploads == 1
    assert [await has_file(ada, cid) for cid in (first, second)] == [True, False]
