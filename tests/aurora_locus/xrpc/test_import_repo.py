"""com.atproto.repo.importRepo over sockets: a repository leaves one server as a file and arrives at another."""

import asyncio
from typing import Any

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import sign_commit
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.repository import import_writer
from aurora_locus.xrpc.com_atproto_repo import import_repo as import_repo_method
from groundwork.database.transaction import TransactionTooLong
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.xrpc.refusals import refusal_of
from tests.aurora_locus.xrpc.repository_transfer import REPO, SYNC, export_repository, import_repo, put_note


async def upload(person: Person, content: bytes) -> dict[str, Any]:
    headers = {**person.headers, "content-type": "text/plain"}
    answer = await person.http.post(f"/xrpc/{REPO}.uploadBlob", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(json_form.decode(answer.content)["blob"])  # type: ignore[call-overload,index]  # an object


def rehomed(data: bytes, did: Did, now: int) -> bytes:
    """The same tree as another account's, signed as by its own server."""
    file = car.read(data)
    snapshot = read_snapshot(file)
    commit = sign_commit(
        K256PrivateKey.from_random(bytes(64)), did=did, rev=from_microseconds(now, 1), data=snapshot.commit.data
    )
    return b"".join(car.write([commit.cid], {**file.blocks, commit.cid: commit.block}.items()))


async def test_repository_moves_between_servers(deployment: Deployment):
    """A repository moves between servers: records, missing blobs, activation. It is announced once, with a sync of the
    imported state.
    """
    ada, ben = await deployment.sign_up("ada"), await deployment.sign_up("ben")
    picture = await upload(ada, b"a picture")
    await put_note(ada, "one", text="1")
    await put_note(ada, "two", text="2", picture=json_form.to_json(picture))
    await ben.post(f"{SERVER}.deactivateAccount", {})
    announced = await deployment.announced(ben.did)
    data = rehomed(await export_repository(ada), ben.did, deployment.clock.now())
    assert (await import_repo(ben, data)).status_code == 200
    missing = (await ben.get(f"{REPO}.listMissingBlobs")).json()["blobs"]
    assert missing == [{"cid": str(picture["ref"]), "recordUri": f"at://{ben.did}/org.example.note/two"}]
    head = (await ben.get(f"{SYNC}.getLatestCommit", did=ben.did)).json()
    assert (await import_repo(ben, data)).status_code == 200
    assert (await ben.get(f"{SYNC}.getLatestCommit", did=ben.did)).json() == head
    assert await deployment.announced(ben.did) == announced
    await upload(ben, b"a picture")
    assert (await ben.get(f"{REPO}.listMissingBlobs")).json()["blobs"] == []
    await ben.post(f"{SERVER}.activateAccount")
    assert (await deployment.announced(ben.did))[len(announced) :] == ["account active", "identity ben.test", "sync"]
    blob = await deployment.http.get(f"/xrpc/{SYNC}.getBlob", params={"did": ben.did, "cid": str(picture["ref"])})
    assert blob.content == b"a picture"
    records = (await deployment.stranger.get(f"{REPO}.listRecords", repo=ben.did, collection="org.example.note")).json()
    assert [record["value"]["text"] for record in records["records"]] == ["2", "1"]


async def test_streamed_without_a_length(deployment: Deployment):
    ada = await deployment.sign_up("ada")
    await put_note(ada, "one", text="1")
    data = await export_repository(ada)
    await put_note(ada, "two", text="2")

    async def pieces() -> Any:
        for start in range(0, len(data), 100):
            yield data[start : start + 100]

    assert (await import_repo(ada, pieces())).status_code == 200
    entries = read_snapshot(car.read(await export_repository(ada))).entries
    assert list(entries) == ["org.example.note/one"]


async def test_refusals_change_nothing(deployment: Deployment):
    ada, ben = await deployment.sign_up("ada"), await deployment.sign_up("ben")
    await put_note(ada, "one", text="1")
    data = await export_repository(ada)
    before = await export_repository(ben)
    assert "not of" in refusal_of(await import_repo(ben, data), "InvalidRequest")
    assert "Content-Type" in refusal_of(await import_repo(ben, data, "application/json"), "InvalidRequest")
    refusal_of(await import_repo(ben, b""), "InvalidRequest")
    nobody = Cid.for_cbor(b"nothing")
    assert "is not in the file" in refusal_of(
        await import_repo(ben, b"".join(car.write([nobody], []))), "InvalidRequest"
    )
    assert (await import_repo(deployment.stranger, data)).status_code == 401
    assert await export_repository(ben) == before


async def test_file_beyond_the_limit(make_deployment: MakeDeployment):
    deployment = await make_deployment(import_limit=1000)
    ada = await deployment.sign_up("ada")
    await put_note(ada, "one", text="x" * 2000)
    answer = await import_repo(ada, await export_repository(ada))
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")


async def test_import_is_refused_if_turned_off(make_deployment: MakeDeployment):
    deployment = await make_deployment(accepting_repo_imports=False)
    ada = await deployment.sign_up("ada")
    refusal_of(await import_repo(ada, await export_repository(ada)), "InvalidRequest")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_concurrent_imports_are_limited(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """Few imports run at a time and others wait. Those that wait too long get an error, and the turns of disconnected
    senders are freed. Slow senders delay only senders.
    """
    monkeypatch.setattr(import_repo_method, "RECEIVED_AT_ONCE", 2)
    people = [await deployment.sign_up(name) for name in ("ada", "ben", "eva")]
    await put_note(people[0], "one", text="1")
    data = await export_repository(people[0])
    go_on = asyncio.Event()

    async def slowly() -> Any:
        yield data[:50]
        await go_on.wait()
        yield data[50:]

    turns = import_repo_method.turns_of(deployment.pds.registry.repositories)
    slow = [asyncio.create_task(import_repo(person, slowly())) for person in people[:2]]
    while not turns.receiving.locked():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    assert not turns.storing.locked()
    monkeypatch.setattr(import_repo_method, "PATIENCE_SECONDS", 0.01)
    last = await import_repo(people[-1], data)
    assert (last.status_code, last.json()["error"]) == (503, "NotEnoughResources")
    # An account cannot send two at a time either.
    second = await import_repo(people[0], data)
    assert (second.status_code, second.json()["error"]) == (503, "NotEnoughResources")
    monkeypatch.setattr(import_repo_method, "PATIENCE_SECONDS", 30)
    waiting = asyncio.create_task(import_repo(people[0], data))
    go_on.set()
    assert (await slow[0]).status_code == 200
    await asyncio.gather(*slow)
    assert (await waiting).status_code == 200
    assert not turns.receiving.locked()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_slow_sender_gets_a_request_timeout(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(import_repo_method, "GRACE_SECONDS", 0.01)
    ada = await deployment.sign_up("ada")
    data = await export_repository(ada)
    turn = import_repo_method.turns_of(deployment.pds.registry.repositories).of_account(ada.did)

    async def slowly() -> Any:
        yield data[:50]
        for is_waited_for in (True, False):  # the server takes the turn and gives it back
            while turn.locked() is not is_waited_for:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        yield data[50:]

    before = await export_repository(ada)
    answer = await import_repo(ada, slowly())
    assert (answer.status_code, answer.json()["error"]) == (408, "RequestTimeout")
    assert await export_repository(ada) == before
    assert (await import_repo(ada, data)).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_error_for_a_slow_import_names_the_remedy(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    ada = await deployment.sign_up("ada")
    await put_note(ada, "one", text="1")
    data = await export_repository(ada)
    await put_note(ada, "two", text="2")
    before = await export_repository(ada)

    def too_long(*_arguments: Any, **_more: Any) -> Any:
        raise TransactionTooLong("the transaction was open for too long")

    monkeypatch.setattr(import_writer, "store", too_long)
    answer = await import_repo(ada, data)
    assert (answer.status_code, answer.json()["error"]) == (503, "NotEnoughResources")
    assert "import it in parts" in answer.json()["message"]
    assert await export_repository(ada) == before
