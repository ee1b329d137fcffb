"""A folder of the reference PDS is imported and served under the same URL, and only the operator notices."""

import hashlib
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.oauth.dpop import make_proof
from at_protocol.repo import car
from at_protocol.repo.commit import is_signed_by, verify_commit
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.sync import events
from at_protocol.syntax.did import Did
from aurora_locus.reference_import import adopt
from aurora_locus.reference_import.environment import read_environment, settings_for
from aurora_locus.reference_import.old_folder import locate
from checks import reference
from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from groundwork.errors import Unavailable
from tests.aurora_locus.reference_import.conftest import (
    CLIENT_ID,
    NOTE,
    PICTURE,
    PREFERENCES,
    SCOPE,
    Deployment,
    ask,
    call,
    frames_since,
    openmeet,
)
from tests.external_dependencies import needs
from tests.interop.conftest import json_lines, run
from tests.legacy_records import LEGACY_PATHS, LEGACY_RECORDS
from tests.simulation.processes import Program

pytestmark = needs("reference")


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file of a folder with its content and time."""
    return {
        str(path.relative_to(folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def unfinished(folder: Path) -> list[Path]:
    """What an import left behind, in the folder itself or in that of the database."""
    return [path for path in folder.rglob("*") if "unfinished" in path.name]


def unnoticed(_done: int, _total: int, _at: str) -> None:
    """Progress that nobody sees."""


@dataclass
class App:
    """An app that was authorized before; it repeats a request if the server wants a nonce."""

    url: str
    key: P256PrivateKey
    nonce: str | None = None

    async def ask(self, path: str, *, token: str | None = None, **body: Any) -> tuple[int, Any]:
        for _ in range(2):
            proof = make_proof(
                self.key,
                method="POST",
                url=f"{self.url}{path}",
                token_id=secrets.token_hex(16),
                now_seconds=int(time.time()),
                nonce=self.nonce,
                access_token=token,
            )
            headers = {"dpop": proof} | ({} if token is None else {"authorization": f"DPoP {token}"})
            async with ClientSession() as http, http.post(f"{self.url}{path}", headers=headers, **body) as answer:
                self.nonce = answer.headers.get("dpop-nonce", self.nonce)
                said = await answer.json()
            if said.get("error") != "use_dpop_nonce":
                break
        return answer.status, said

    async def refreshed(self, token: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT_ID}
        status, said = await self.ask("/oauth/token", data=form)
        assert status == 200, said
        return dict(said)


@pytest.fixture(scope="session")
async def successor(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of the old server, now served by ours."""
    root = tmp_path_factory.mktemp("adopted")
    before = fingerprint(deployment.folder)
    arguments = ["adopt", str(deployment.folder), "--into", str(root / "new")]
    status, said = await openmeet(*arguments, environment={"LOG": str(root / "adopt.log")})
    assert status == 0, said
    assert fingerprint(deployment.folder) == before
    environment = {
        **{name: value for name, value in deployment.reference.environment().items() if name.startswith("PDS_")},
        "PDS_DATA_DIRECTORY": str(root / "new"),
        "PDS_BLOBSTORE_DISK_LOCATION": "",
        # As written by the command; a start needs neither.
        "PDS_JWT_SECRET": "",
        "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": "",
    }
    url = deployment.reference.url
    pds = Program("pds", environment, root / "pds.log", f"{url}/xrpc/_health")
    await pds.start()
    yield url
    assert await pds.stop() == 0


async def test_repositories_are_the_same_blocks(deployment: Deployment, successor: str) -> None:
    """Imported repositories have the same root and blocks, and nothing was signed again."""
    for name in ("ana", "dora"):
        exported = deployment.exports[name]
        status, now = await ask(successor, "com.atproto.sync.getRepo", did=deployment.did(name))
        assert status == 200
        then, here = car.read(exported), car.read(now)
        assert here.root == then.root
        assert here.blocks == then.blocks


async def test_odd_records_are_imported_and_odd_paths_left_out(deployment: Deployment, successor: str) -> None:
    """Odd records are imported byte for byte, and readable where the data model allows. Odd paths are left out: the
    repository is signed again without them and announced by ``#sync``.
    """
    did = deployment.did("eve")
    then = read_snapshot(car.read(deployment.exports["eve"]))
    status, exported = await ask(successor, "com.atproto.sync.getRepo", did=did)
    here = read_snapshot(car.read(exported))
    assert status == 200
    assert then.odd_paths.keys() == set(LEGACY_PATHS)
    assert (here.entries, here.records) == (then.entries, {cid: then.records[cid] for cid in then.entries.values()})
    assert (here.odd_paths, here.commit.rev) == ({}, max(here.commit.rev, then.commit.rev))
    status, page = await ask(successor, "com.atproto.repo.listRecords", repo=did, collection=NOTE)
    values = {one["uri"].rsplit("/", 1)[1]: one["value"] for one in msgspec.json.decode(page)["records"]}
    assert values == {name: value for name, (_, value) in LEGACY_RECORDS.items()} | {
        "later": {"$type": NOTE, "": "an empty key"}
    }
    status, session = await call(
        successor, "com.atproto.server.createSession", {"identifier": "eve.test", "password": "password of eve"}
    )
    write = {"repo": did, "collection": NOTE, "record": {"$type": NOTE, "": "another empty key"}}
    status, said = await call(successor, "com.atproto.repo.createRecord", write, session["accessJwt"])
    assert status == 200, said
    (announced,) = [
        message
        for message in map(events.read, await frames_since(successor, 0))
        if isinstance(message, events.SyncMessage) and message.did == did and message.rev == here.commit.rev
    ]
    # One of two, because fay's is announced as well.
    assert announced.seq - max(message.seq for message in map(events.read, deployment.frames) if message) in {1, 2}  # type: ignore[union-attr]


async def test_head_signed_by_another_key_is_signed_again(deployment: Deployment, successor: str) -> None:
    """A head signed by another key is signed again. It belongs to somebody who moved to the old server and wrote
    nothing there, so nobody could verify it by the DID document. The account's key signs the same tree, and the commit
    is announced.
    """
    did = Did(deployment.did("fay"))
    status, exported = await ask(successor, "com.atproto.sync.getRepo", did=did)
    assert status == 200
    then, here = read_snapshot(car.read(deployment.exports["fay"])), read_snapshot(car.read(exported))
    async with ClientSession() as http, http.get(f"{deployment.plc_url}/{did}/data") as answer:
        key = parse_did_key((await answer.json())["verificationMethods"]["atproto"])
    assert not is_signed_by(then.commit, key)
    verify_commit(here.commit, did=did, key=key)
    assert (here.entries, here.commit.data) == (then.entries, then.commit.data)
    announced = [
        message.rev
        for message in map(events.read, await frames_since(successor, 0))
        if isinstance(message, events.SyncMessage) and message.did == did
    ]
    assert announced[-1] == here.commit.rev


async def test_exports_since_a_rev_are_the_same(deployment: Deployment, successor: str) -> None:
    rev = msgspec.json.decode((await ask(successor, "com.atproto.sync.getLatestCommit", did=deployment.did("ana")))[1])[
        "rev"
    ]
    status, nothing = await ask(successor, "com.atproto.sync.getRepo", did=deployment.did("ana"), since=rev)
    assert status == 200
    assert len(car.read(nothing).blocks) == 1


async def test_passwords_open_sessions(deployment: Deployment, successor: str) -> None:
    """Passwords work, also the second time after the hash was renewed."""
    for _ in range(2):
        wish = {"identifier": "ana.test", "password": deployment.passwords["ana"]}
        status, session = await call(successor, "com.atproto.server.createSession", wish)
        assert status == 200, session
        assert session["did"] == deployment.did("ana")
    wrong = {"identifier": "ana.test", "password": "another password"}
    assert (await call(successor, "com.atproto.server.createSession", wrong))[0] == 401


async def test_app_password_opens_a_restricted_session(deployment: Deployment, successor: str) -> None:
    wish = {"identifier": "ana@example.org", "password": deployment.app_password}
    status, session = await call(successor, "com.atproto.server.createSession", wish)
    assert status == 200, session
    status, refused = await call(
        successor, "com.atproto.server.createAppPassword", {"name": "second"}, session["accessJwt"]
    )
    assert (status, refused["error"]) == (400, "InvalidToken"), refused


async def test_earlier_sessions_continue(deployment: Deployment, successor: str) -> None:
    """Earlier sessions continue: an old access token is valid, and an old refresh token is exchanged for one of ours."""
    status, _ = await ask(successor, "com.atproto.server.getSession", deployment.people["dora"]["accessJwt"])
    assert status == 200
    refresh = "com.atproto.server.refreshSession"
    status, session = await call(successor, refresh, token=deployment.people["dora"]["refreshJwt"])
    assert status == 200, session
    status, again = await call(successor, refresh, token=session["refreshJwt"])
    assert status == 200, again


async def test_apps_refresh_with_the_token_that_they_have(deployment: Deployment, successor: str) -> None:
    """Apps refresh once with a token bound to the old key and then with ours, without a new consent."""
    app = App(successor, deployment.app_key)
    first = await app.refreshed(deployment.app_tokens["refresh_token"])
    assert first["sub"] == deployment.did("ana")
    assert first["scope"] == SCOPE
    record = {"repo": deployment.did("ana"), "collection": NOTE, "record": {"$type": NOTE, "text": "by an app"}}
    status, written = await app.ask("/xrpc/com.atproto.repo.createRecord", json=record, token=first["access_token"])
    assert status == 200, written
    second = await app.refreshed(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]


async def test_official_client_resumes_its_session(deployment: Deployment, successor: str) -> None:
    """The official client (``@atproto/api``) resumes its stored session; it refreshes, writes and reads."""
    node = reference.node()
    assert node is not None
    session = {**deployment.people["ana"], "active": True}
    script = reference.FOLDER / "resume.mjs"
    (told,) = json_lines(
        await run(node, script, successor, msgspec.json.encode(session).decode(), cwd=reference.FOLDER)
    )
    assert told["did"] == deployment.did("ana")
    assert told["text"] == "written after the move"


async def test_firehose_sends_the_same_frames_and_continues(deployment: Deployment, successor: str) -> None:
    """The firehose sends the same frames byte for byte and then the next number, so that a relay's cursor stays valid."""
    assert (await frames_since(successor, 0))[: len(deployment.frames)] == deployment.frames
    later = await frames_since(successor, len(deployment.frames) // 2)
    assert later[0] in deployment.frames


async def test_blobs_preferences_and_moderation_decisions_are_imported(deployment: Deployment, successor: str) -> None:
    status, blob = await ask(successor, "com.atproto.sync.getBlob", did=deployment.did("ana"), cid=deployment.picture)
    assert (status, blob) == (200, PICTURE)
    token = deployment.people["ana"]["accessJwt"]
    status, preferences = await ask(successor, "app.bsky.actor.getPreferences", token)
    assert msgspec.json.decode(preferences)["preferences"] == PREFERENCES
    _, _, did, collection, rkey = deployment.hidden.split("/")
    status, hidden = await ask(successor, "com.atproto.repo.getRecord", repo=did, collection=collection, rkey=rkey)
    assert (status, msgspec.json.decode(hidden)["error"]) == (400, "RecordNotFound")
    for name, expected in (("ben", "deactivated"), ("cleo", "takendown")):
        _, told = await ask(successor, "com.atproto.sync.getRepoStatus", did=deployment.did(name))
        assert msgspec.json.decode(told)["status"] == expected


async def test_e_mailed_tokens_stay_valid(deployment: Deployment, successor: str) -> None:
    """A token that was e-mailed before the move still resets the password afterwards."""
    wish = {"token": deployment.email_token, "password": "a new password of dora"}
    status, said = await call(successor, "com.atproto.server.resetPassword", wish)
    assert status == 200, said
    wish = {"identifier": "dora.test", "password": "a new password of dora"}
    assert (await call(successor, "com.atproto.server.createSession", wish))[0] == 200


async def test_deactivated_account_comes_back_and_writes(deployment: Deployment, successor: str) -> None:
    """An account that was deactivated comes back and writes. Its imported signing key signs the new commit, which
    follows the old one and is announced after all earlier events.
    """
    wish = {"identifier": "ben.test", "password": deployment.passwords["ben"]}
    _, session = await call(successor, "com.atproto.server.createSession", wish)
    token = session["accessJwt"]
    assert (await call(successor, "com.atproto.server.activateAccount", token=token))[0] == 200
    record = {"repo": deployment.did("ben"), "collection": NOTE, "record": {"$type": NOTE, "text": "back"}}
    status, written = await call(successor, "com.atproto.repo.createRecord", record, token)
    assert status == 200, written
    newest = (await frames_since(successor, len(deployment.frames)))[-1]
    assert deployment.did("ben").encode() in newest


async def test_import_from_a_running_server_is_refused(deployment: Deployment) -> None:
    """Nothing is imported while the old server has its databases open, even if idle."""
    status, said = deployment.refused_while_running
    assert status == 1
    assert "is in use: stop the reference PDS first" in said


async def test_dry_run_next_to_the_running_server_reports_the_same(deployment: Deployment, tmp_path: Path) -> None:
    """A dry run next to the running server reports the same. It reads a snapshot, and the server continues to write to
    its logs.
    """
    status, said = deployment.looked_at_while_running
    assert status == 0, said
    beside = msgspec.json.decode(said)
    arguments = ["adopt", str(deployment.folder), "--dry-run", "--json"]
    status, said = await openmeet(*arguments, environment={"LOG": str(tmp_path / "log")})
    assert status == 0, said
    stopped = msgspec.json.decode(said)
    assert beside.pop("seconds") > 0
    assert stopped.pop("seconds") > 0
    assert beside == stopped


async def test_folder_of_a_killed_server_is_imported_completely(deployment: Deployment, tmp_path: Path) -> None:
    """The folder of a killed server is imported with what is only in the write-ahead logs, and is not changed."""
    assert (deployment.killed / "account.sqlite-wal").stat().st_size > 0
    before = fingerprint(deployment.killed)
    told = []
    for number, folder in enumerate((deployment.folder, deployment.killed)):
        environment = {"LOG": str(tmp_path / f"{number}.log")}
        status, said = await openmeet("adopt", str(folder), "--dry-run", "--json", environment=environment)
        assert status == 0, said
        told.append(msgspec.json.decode(said))
    for one in told:
        assert one.pop("seconds") > 0
    assert told[0] == told[1]
    assert told[0]["counts"]["accounts"] == 6
    assert told[0]["counts"]["records"] == 121 + len(LEGACY_RECORDS) + 1 + 1
    assert {sentence.split(": ")[0].rsplit("/", 1)[1] for sentence in told[0]["odd"]} == LEGACY_RECORDS.keys()
    for path in LEGACY_PATHS:
        assert any(repr(path) in sentence for sentence in told[0]["lost"])
    assert any(deployment.did("fay") in sentence and "another key" in sentence for sentence in told[0]["lost"])
    assert "Clients are identified by X-Forwarded-For from proxies in private networks." in told[0]["settings"]
    assert any("PDS_HCAPTCHA_SITE_KEY" in sentence for sentence in told[0]["lost"])
    assert fingerprint(deployment.killed) == before


async def test_damage_stops_the_import(deployment: Deployment, tmp_path: Path) -> None:
    """Damage stops the import: the error names a block with wrong bytes, and no new folder is created."""
    folder = tmp_path / "old"
    shutil.copytree(deployment.folder, folder)
    (store,) = (path for path in folder.glob("actors/*/*/store.sqlite") if path.parent.name == deployment.did("ana"))
    content, block = store.read_bytes(), b"fnumber\x18\x64"
    # Every copy of it, because SQLite leaves old ones in the free parts of its pages.
    assert block in content
    store.write_bytes(content.replace(block, b"fnumber\x18\x65"))
    arguments = ["adopt", str(folder), "--into", str(tmp_path / "new")]
    status, said = await openmeet(*arguments, environment={"LOG": str(tmp_path / "log")})
    assert status == 1
    assert f"{deployment.did('ana')} (ana.test)" in said
    assert "its stored bytes do not match it" in said
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "new.unfinished").exists()


async def test_only_empty_databases_are_accepted(deployment: Deployment, pds_url: str, tmp_path: Path) -> None:
    """The operator may name any empty database, on both engines. A second import is refused because it is not empty."""
    for number, (expected, sentence) in enumerate(((0, "Everything is in"), (1, "already has accounts"))):
        environment = {"LOG": str(tmp_path / f"{number}.log"), "PDS_DATABASE_URL": pds_url}
        into = tmp_path / f"new{number}"
        status, said = await openmeet("adopt", str(deployment.folder), "--into", str(into), environment=environment)
        assert (status, into.exists()) == (expected, not expected), said
        assert sentence in said
    db = await open_database(pds_url, schema="aurora_locus", clock=SystemClock())
    try:
        async with db.reader() as reader:
            (row,) = await reader.fetch("select count(*) as people, max(last) as last from accounts, sequencer")
    finally:
        await db.close()
    assert row["people"] == 6
    assert row["last"] >= len(deployment.frames)


async def test_failed_import_leaves_nothing_and_can_be_repeated(
    deployment: Deployment, pds_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an import fails at its last step, its database is empty as before, on both engines, and the next one succeeds."""
    environment = read_environment(deployment.folder / "pds.env")
    old = locate(deployment.folder, environment)
    settings = settings_for(environment, {"PDS_DATABASE_URL": pds_url}, tmp_path / "new")
    clock = SystemClock()
    findings = await adopt.examine(old, environment, settings, clock, unnoticed, is_timed=False)

    async def fail(*_arguments: object) -> None:
        raise Unavailable("The disk is full.")

    async def accounts() -> int:
        db = await open_database(pds_url, schema="aurora_locus", clock=clock)
        try:
            async with db.reader() as reader:
                return len(await reader.fetch("select did from accounts union select purpose from server_keys"))
        finally:
            await db.close()

    with monkeypatch.context() as patched:
        patched.setattr(adopt, "verify", fail)
        with pytest.raises(Unavailable):
            await adopt.adopt(old, environment, settings, clock, unnoticed, findings)
    assert await accounts() == 0
    assert unfinished(tmp_path) == []
    await adopt.adopt(old, environment, settings, clock, unnoticed, findings)
    assert await accounts() > 6
