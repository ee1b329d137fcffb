"""The way back from Aurora Locus to the reference PDS with its old folder: what continues, what is lost, and what can
be imported.
"""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession

from at_protocol.repo import car
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.sync import events
from tests.aurora_locus.reference_import.conftest import NOTE, Deployment, ask, call, frames_since, openmeet
from tests.external_dependencies import needs
from tests.simulation.processes import Program, free_port
from tests.simulation.reference_pds import ReferencePds

pytestmark = needs("reference")


def number_of(frame: bytes) -> int:
    message = events.read(frame)
    assert isinstance(message, events.Sequenced)
    return message.seq


def paths(data: bytes) -> set[str]:
    return set(map(str, read_snapshot(car.read(data)).entries))


async def test_reference_pds_continues_where_it_was_stopped(deployment: Deployment, tmp_path: Path) -> None:
    """The reference continues where it was stopped. Earlier sessions work, later writes are lost unless their owner
    imports them, and relays get numbers that they have not seen.
    """
    kept = tmp_path / "kept"
    shutil.copytree(deployment.folder, kept)
    port = free_port()
    environment = dict(deployment.reference.environment(), PDS_PORT=str(port), PDS_DATA_DIRECTORY=str(kept))
    environment["PDS_BLOBSTORE_DISK_LOCATION"] = str(kept / "blocks")
    (kept / "pds.env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))

    new = tmp_path / "new"
    status, said = await openmeet(
        "adopt", str(kept), "--into", str(new), environment={"LOG": str(tmp_path / "adopt.log")}
    )
    assert status == 0, said
    ours_has = {name: value for name, value in environment.items() if name.startswith("PDS_")}
    ours_has |= {"PDS_DATA_DIRECTORY": str(new), "PDS_BLOBSTORE_DISK_LOCATION": ""}
    reference = ReferencePds(kept, deployment.plc_url, port=port)
    ours = Program("pds", ours_has, tmp_path / "ours.log", f"{reference.url}/xrpc/_health")
    await ours.start()
    try:
        assert "from proxies in private networks" in ours.said()
        status, session = await call(
            reference.url,
            "com.atproto.server.createSession",
            {"identifier": "ana.test", "password": deployment.passwords["ana"]},
        )
        assert status == 200, session
        record = {
            "repo": deployment.did("ana"),
            "collection": NOTE,
            "rkey": "since",
            "record": {"$type": NOTE, "number": 1},
        }
        status, answer = await call(reference.url, "com.atproto.repo.createRecord", record, session["accessJwt"])
        assert status == 200, answer
        _, since = await ask(reference.url, "com.atproto.sync.getRepo", did=deployment.did("ana"))
        newest = max(map(number_of, await frames_since(reference.url, 0)))
    finally:
        assert await ours.stop() == 0

    # As the page says, numbers continue above those that relays have read.
    with sqlite3.connect(kept / "sequencer.sqlite") as log:
        before = log.execute("select seq from sqlite_sequence where name = 'repo_seq'").fetchone()[0]
        assert before < newest
        log.execute("update sqlite_sequence set seq = ? where name = 'repo_seq'", (newest + 1000,))
    log.close()
    await reference.start()
    try:
        await _goes_on(deployment, reference, since, newest)
    finally:
        await reference.stop()


async def _goes_on(deployment: Deployment, reference: ReferencePds, since: bytes, newest: int) -> None:
    token = deployment.people["ana"]["accessJwt"]
    status, answer = await ask(reference.url, "com.atproto.server.getSession", token)
    assert (status, msgspec.json.decode(answer)["did"]) == (200, deployment.did("ana"))
    old = await reference.read("com.atproto.sync.getRepo", did=deployment.did("ana"))
    assert paths(since) - paths(old) == {f"{NOTE}/since"}
    await _import(reference, token, since)
    assert paths(await reference.read("com.atproto.sync.getRepo", did=deployment.did("ana"))) == paths(since)
    later: dict[str, Any] = {"repo": deployment.did("ana"), "collection": NOTE, "record": {"$type": NOTE, "number": 2}}
    await reference.call("com.atproto.repo.createRecord", later, token=token)
    frames = await frames_since(reference.url, newest)
    assert frames
    assert min(map(number_of, frames)) > newest


async def _import(reference: ReferencePds, token: str, data: bytes) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/vnd.ipld.car"}
    url = f"{reference.url}/xrpc/com.atproto.repo.importRepo"
    async with ClientSession() as http, http.post(url, data=data, headers=headers) as done:
        assert done.status == 200, await done.text()
