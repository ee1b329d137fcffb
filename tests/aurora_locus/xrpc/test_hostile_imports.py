"""Malicious uploads are parsed in a worker process, bounded, and leave nothing behind."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import sign_commit
from at_protocol.repo.mst import Tree
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.tid import from_microseconds
from aurora_locus import app
from aurora_locus.repository import import_car, import_file
from aurora_locus.xrpc.com_atproto_repo import import_repo as import_repo_method
from groundwork.errors import Unavailable
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.repository.delayed_check import GO_ON, check_later
from tests.aurora_locus.repository.importing import file_of, notes
from tests.aurora_locus.xrpc.repository_transfer import export_repository, import_repo, put_note
from tests.timeouts import TIMEOUT_SECONDS

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def in_the_server(*_arguments: Any, **_options: Any) -> Any:
    raise AssertionError("a thread of the server decodes what a stranger sent")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def leftovers(deployment: Deployment) -> list[Path]:
    folder = import_file.import_folder(deployment.settings.data_directory)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while folder.exists() and list(folder.iterdir()):  # noqa: ASYNC110 - a thread deletes it, and tells nobody
            await asyncio.sleep(0.01)
    return list(folder.iterdir()) if folder.exists() else []


def note_file(person: Person, deployment: Deployment, count: int) -> bytes:
    return file_of(person.did, notes(*map(str, range(count))), from_microseconds(deployment.clock.now(), 3))


@on_sqlite
async def test_no_thread_of_the_server_decodes_an_upload(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread of the server decodes an upload: neither its sections nor its tree nor its records."""
    ada = await deployment.sign_up("ada")
    data = note_file(ada, deployment, 300)
    monkeypatch.setattr(car.CarReader, "feed", in_the_server)
    monkeypatch.setattr(Tree, "walk", in_the_server)
    answer = await import_repo(ada, data)
    assert answer.status_code == 200, answer.text
    monkeypatch.undo()
    assert len(car.read(await export_repository(ada)).blocks) > 300


@on_sqlite
async def test_expensive_check_of_an_upload_is_stopped(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose check takes too much is stopped with the protocol's error. The repository is unchanged, and the
    next upload is accepted.
    """
    ada = await deployment.sign_up("ada")
    await put_note(ada, "one", text="1")
    before = await export_repository(ada)
    monkeypatch.setattr(import_car, "check", check_later)
    monkeypatch.setattr(import_car, "limits_of", lambda _size: JobLimits(wall_seconds=0.2))
    answer = await import_repo(ada, note_file(ada, deployment, 30))
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")
    assert "more time or memory" in answer.json()["message"]
    assert await leftovers(deployment) == []
    assert await export_repository(ada) == before
    assert await deployment.count("imports") == 0
    monkeypatch.undo()
    assert (await import_repo(ada, note_file(ada, deployment, 30))).status_code == 200


@on_sqlite
async def test_others_are_served_while_an_upload_is_checked(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other requests are served while an upload is checked, even for a long time. If its sender disconnects meanwhile,
    the repository is completely the old one or the new one.
    """
    ada, ben = await deployment.sign_up("ada"), await deployment.sign_up("ben")
    await put_note(ada, "one", text="1")
    before = car.read(await export_repository(ada))
    monkeypatch.setattr(import_car, "check", check_later)
    sending = asyncio.create_task(import_repo(ada, note_file(ada, deployment, 30)))
    await running(deployment, 1)
    await put_note(ben, "one", text="1")
    assert (await ben.get(f"{SERVER}.getSession")).status_code == 200
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    (deployment.settings.data_directory / GO_ON).touch()
    await running(deployment, 0)
    assert await leftovers(deployment) == []
    after = car.read(await export_repository(ada))
    assert after == before or len(read_snapshot(after).entries) == 30
    assert (await import_repo(ada, note_file(ada, deployment, 40))).status_code == 200


async def running(deployment: Deployment, number: int) -> None:
    """Wait until that many uploads are being checked."""
    wanted = f"aurora_locus_worker_jobs_running {number}.0".encode()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while wanted not in deployment.pds.metrics.exposition():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


def _cut(data: bytes) -> bytes:
    return data[:-7]


def _cut_in_the_header(data: bytes) -> bytes:
    return data[:20]


def _wrong_hash(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _endless_length(data: bytes) -> bytes:
    return data + b"\xff" * 8


def _nothing(_data: bytes) -> bytes:
    return b""


def _noise(_data: bytes) -> bytes:
    return bytes(range(256)) * 40


@on_sqlite
@pytest.mark.parametrize("harm", [_cut, _cut_in_the_header, _wrong_hash, _endless_length, _nothing, _noise])
async def test_damaged_uploads_change_nothing(deployment: Deployment, harm: Callable[[bytes], bytes]) -> None:
    ada = await deployment.sign_up("ada")
    await put_note(ada, "one", text="1")
    before = await export_repository(ada)
    answer = await import_repo(ada, harm(note_file(ada, deployment, 20)))
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest"), answer.text
    assert await leftovers(deployment) == []
    assert await export_repository(ada) == before


@on_sqlite
async def test_useless_trees_are_refused(deployment: Deployment) -> None:
    """Useless trees are refused: a chain of empty nodes deeper than any tree, or a million blocks of a few bytes."""
    ada = await deployment.sign_up("ada")
    below = cbor.encode({"l": None, "e": []})
    nodes = {Cid.for_cbor(below): below}
    for _ in range(2000):
        below = cbor.encode({"l": Cid.for_cbor(below), "e": []})
        nodes[Cid.for_cbor(below)] = below
    key = b"org.example.note/a"
    root = cbor.encode(
        {"l": Cid.for_cbor(below), "e": [{"p": 0, "k": key, "v": Cid.for_cbor(b"\xa0"), "t": Cid.for_cbor(below)}]}
    )
    commit = sign_commit(
        K256PrivateKey.from_random(bytes(64)),
        did=ada.did,
        rev=from_microseconds(deployment.clock.now(), 1),
        data=Cid.for_cbor(root),
    )
    sections = {commit.cid: commit.block, Cid.for_cbor(root): root, Cid.for_cbor(b"\xa0"): b"\xa0", **nodes}
    answer = await import_repo(ada, b"".join(car.write([commit.cid], sections.items())))
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest"), answer.text


@on_sqlite
async def test_blocks_that_are_too_many_and_too_small_are_refused(make_deployment: MakeDeployment) -> None:
    """A file with too many tiny blocks is refused; it only serves to fill the memory of the index."""
    deployment = await make_deployment(import_limit=1_000_000)
    ada = await deployment.sign_up("ada")
    blocks = ((Cid.for_cbor(block), block) for block in map(cbor.encode, range(11_000)))
    answer = await import_repo(ada, b"".join(car.write([Cid.for_cbor(b"\x00")], blocks)))
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest"), answer.text
    assert "more blocks" in answer.json()["message"]


@on_sqlite
async def test_processor_time_per_account_is_limited(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that has used up its processor time gets the time to wait before the file is received."""
    monkeypatch.setattr(app, "WORKER_LIMITS", PoolLimits(cpu_seconds_per_person=0.001))
    deployment = await make_deployment()
    ada, ben = await deployment.sign_up("ada"), await deployment.sign_up("ben")
    assert (await import_repo(ada, note_file(ada, deployment, 30))).status_code == 200
    answer = await import_repo(ada, note_file(ada, deployment, 40))
    assert (answer.status_code, answer.json()["error"]) == (429, "RateLimitExceeded")
    assert int(answer.headers["retry-after"]) > 0
    assert (await import_repo(ben, note_file(ben, deployment, 30))).status_code == 200


@on_sqlite
async def test_upload_queue_is_limited(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is limited; further uploads are refused at once."""
    monkeypatch.setattr(import_car, "check", check_later)
    monkeypatch.setattr(import_repo_method, "RECEIVED_AT_ONCE", 2)
    monkeypatch.setattr(import_repo_method, "MAX_WAITING", 1)
    people = [await deployment.sign_up(name) for name in ("ada", "ben", "eva", "leo")]
    sending = [asyncio.create_task(import_repo(person, note_file(person, deployment, 30))) for person in people[:3]]
    turns = import_repo_method.turns_of(deployment.pds.registry.repositories)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (turns.receiving.locked() and turns.waiting == 1):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    answer = await import_repo(people[3], note_file(people[3], deployment, 30))
    assert (answer.status_code, answer.json()["error"]) == (503, "NotEnoughResources")
    (deployment.settings.data_directory / GO_ON).touch()
    assert [one.status_code for one in await asyncio.gather(*sending)] == [200, 200, 200]
    assert await leftovers(deployment) == []


async def test_one_address_does_not_take_all_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address cannot take all slots. A private address is not limited, because it may be a proxy's."""
    monkeypatch.setattr(import_repo_method, "PATIENCE_SECONDS", 0.01)
    turns = import_repo_method.ImportTurns()
    slots = turns.of_address("203.1.2.3")
    for _ in range(import_repo_method.RECEIVED_FROM_ADDRESS):
        await slots.acquire()
    with pytest.raises(Unavailable):
        async with turns.take(turns.of_address("203.1.2.3")):
            raise AssertionError
    async with turns.take(turns.of_address("203.1.2.4")):
        pass
    behind = turns.of_address("10.0.0.1")
    for _ in range(import_repo_method.RECEIVED_AT_ONCE):
        await behind.acquire()


async def test_files_of_a_process_that_died_are_swept(tmp_path: Path) -> None:
    """Files of a dead process are removed. Those of a running import stay, even if another process runs it."""
    left, new = tmp_path / "left", tmp_path / "new"
    for folder in (left, new):
        folder.mkdir()
        (folder / "repository.car").write_bytes(b"x")
    an_hour_ago = time.time() - 3600
    os.utime(left, (an_hour_ago, an_hour_ago))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"bytes"

    async with import_file.receive(tmp_path, pieces(), max_bytes=10, content_length=None) as files:
        os.utime(files.folder, (an_hour_ago, an_hour_ago))
        import_file.sweep(tmp_path)
        assert names(tmp_path) == sorted([files.folder.name, "new"])
        assert files.car.read_bytes() == b"bytes"
    assert names(tmp_path) == ["new"]
