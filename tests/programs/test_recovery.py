"""An account moves with its recovery key while its old server is off."""

import asyncio
import json
import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.aurora_locus.accounts.account_content import PNG_OF_AN_ACCOUNT, add_content, save_archive
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, open_deployment
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.fork_server import FORK_SERVER
from tests.simulation.reference_pds import ReferencePds

from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.syntax.did import Did
from groundwork.clock import HOUR, HandClock
from groundwork.errors import Conflict, NotSignedIn, Refused
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from programs import recovery_file
from programs.account_file import open_account_file
from programs.recovery import RecoveryContext, RecoveryTarget, basis, move, point_at

KEY = P256PrivateKey.from_random(b"recovery" * 6)
PASSWORD = "another password"


class Countryside:
    """One directory, and servers around it that start and stop."""

    def __init__(self, make: MakeDatabase, plc: Any, clock: HandClock, folder: Path) -> None:
        self.make, self.plc, self.clock, self.folder = make, plc, clock, folder

    @asynccontextmanager
    async def deployment(self, name: str, domain: str) -> AsyncIterator[Deployment]:
        folder = self.folder / name
        folder.mkdir()
        url = f"sqlite://{folder / 'pds.db'}"
        async with open_deployment(
            url, self.plc, self.clock, folder, hostname=f"{name}.localhost", service_handle_domains=(domain,)
        ) as opened:
            yield opened


@pytest.fixture
async def countryside(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, cost_of_passwords: None
) -> Countryside:
    return Countryside(make_sqlite, await make_sqlite("plc_directory"), clock, tmp_path)


async def left_behind(countryside: Countryside, key: P256PrivateKey = KEY) -> tuple[Did, Path, list[str]]:
    """An account with all kinds of content whose server is then switched off: its DID, its archive, and the paths of
    its records.
    """
    async with countryside.deployment("old", ".old.test") as old:
        ana = await old.sign_up("ana", handle="ana.old.test", recoveryKey=format_did_key(key.public))
        await add_content(old, ana)
        path = await save_archive(old, ana, countryside.folder / "ana.zip")
        records = await ana.get("com.atproto.repo.listRecords", repo=ana.did, collection="org.example.note")
        return ana.did, path, [record["uri"] for record in records.json()["records"]]


@asynccontextmanager
async def holding(deployment: Deployment, did: Did, key: P256PrivateKey = KEY) -> AsyncIterator[RecoveryContext]:
    http = HttpClient(DEVELOPMENT)
    try:
        yield RecoveryContext(http, deployment.clock, PlcClient(http, deployment.directory.url), did, key)
    finally:
        await http.close()


def wanted(deployment: Deployment, **changes: str) -> RecoveryTarget:
    return RecoveryTarget(
        **{
            "service": deployment.url,
            "handle": "ana.new.test",
            "email": "ana@example.org",
            "password": PASSWORD,
            **changes,
        }
    )


async def test_recovery_restores_all_data_and_keeps_the_key_first(countryside: Countryside) -> None:
    did, path, uris = await left_behind(countryside)
    async with countryside.deployment("new", ".new.test") as new, holding(new, did) as means:
        lines: list[str] = []
        with open_account_file(path) as file:
            status = await move(means, wanted(new), file, lines.append)
        assert (status["activated"], status["validDid"]) == (True, True)
        assert (status["indexedRecords"], status["importedBlobs"], status["expectedBlobs"]) == (2, 1, 1)
        ana = new.person(await new.sign_in("ana.new.test", PASSWORD))
        records = await ana.get("com.atproto.repo.listRecords", repo=did, collection="org.example.note")
        assert [record["uri"] for record in records.json()["records"]] == uris
        (cid,) = (await ana.get("com.atproto.sync.listBlobs", did=did)).json()["cids"]
        blob = await new.http.get("/xrpc/com.atproto.sync.getBlob", params={"did": did, "cid": cid})
        assert blob.content == PNG_OF_AN_ACCOUNT
        told = (await ana.get("app.bsky.actor.getPreferences")).json()["preferences"]
        assert [one["enabled"] for one in told] == [False]
        newest = (await new.directory.log(did))[-1]
        assert newest["rotationKeys"][0] == format_did_key(KEY.public)
        assert newest["alsoKnownAs"] == ["at://ana.new.test"]
        assert newest["services"]["atproto_pds"]["endpoint"] == new.settings.url == "http://new.localhost:3000"
        assert await new.announced(did) == ["account active", "identity ana.new.test", "sync"]
        assert "2 imported" in "\n".join(lines)


async def test_recovery_continues_where_it_stopped(countryside: Countryside) -> None:
    """If the directory fails between the two operations, repeating the command completes the move without an extra
    operation.
    """
    did, path, _ = await left_behind(countryside)
    async with countryside.deployment("new", ".new.test") as new, holding(new, did) as means:
        with open_account_file(path) as file:

            def broken(line: str) -> None:
                if line.startswith("blobs"):
                    raise ConnectionResetError

            with pytest.raises(ConnectionResetError):
                await move(means, wanted(new), file, broken)
            before = len(await new.directory.log(did))
            lines: list[str] = []
            status = await move(means, wanted(new), file, lines.append)
            assert status["activated"] is True
            assert len(await new.directory.log(did)) == before + 1
            assert "is already at" in lines[0]
            with pytest.raises(Conflict):  # an active account is not overwritten
                await move(means, wanted(new), file, lines.append)


async def test_removed_recovery_key_can_nullify_its_removal_for_three_days(
    countryside: Countryside, clock: HandClock
) -> None:
    """The old server removed the recovery key with its own key. Within three days the recovery key can still nullify
    that operation.
    """
    async with countryside.deployment("old", ".old.test") as old:
        ana = await old.sign_up("ana", handle="ana.old.test", recoveryKey=format_did_key(KEY.public))
        registry = old.pds.registry
        async with holding(old, ana.did, KEY) as means:
            present = await basis(means)
            thief = RecoveryContext(means.http, means.clock, means.directory, ana.did, registry.rotation_key)  # type: ignore[arg-type]
            taken = await point_at(thief, service=old.url, signing_key=format_did_key(KEY.public), rotation_keys=())
            await means.directory.submit(ana.did, taken)
            assert (await basis(means)).overrules == 1
            back = await point_at(
                means,
                service="https://new.example",
                signing_key=format_did_key(KEY.public),
                rotation_keys=present.operation.rotation_keys,
            )
            clock.turn(71 * HOUR)
            await means.directory.submit(ana.did, back)
        newest = (await old.directory.log(ana.did))[-1]
        assert newest["services"]["atproto_pds"]["endpoint"] == "https://new.example"


async def test_a_wrong_password_on_the_new_server_makes_no_second_account(countryside: Countryside) -> None:
    did, _path, _ = await left_behind(countryside)
    async with countryside.deployment("new", ".new.test") as new, holding(new, did) as means:
        await move(means, wanted(new), None, lambda _line: None)
        with pytest.raises((Refused, NotSignedIn)):
            await move(means, wanted(new, password="wrong password"), None, lambda _line: None)
        assert await new.count("accounts") == 1


async def test_the_key_of_somebody_else_is_refused(countryside: Countryside) -> None:
    did, _, _ = await left_behind(countryside)
    stranger = P256PrivateKey.from_random(b"stranger" * 6)
    async with countryside.deployment("new", ".new.test") as new, holding(new, did, stranger) as means:
        with pytest.raises(Refused, match="never was, a rotation key"):
            await move(means, wanted(new), None, lambda _line: None)
        assert await new.count("accounts") == 0


@pytest.mark.parametrize("make", [P256PrivateKey.from_random, K256PrivateKey.from_random], ids=["p256", "k256"])
def test_key_file_is_read_as_written(make: Any, tmp_path: Path) -> None:
    key, path = make(secrets.token_bytes(48)), tmp_path / "key.txt"
    recovery_file.write(path, key, "did:plc:ragtjsm2j2vknwkz3zp4oxrd")
    kept = recovery_file.read(path)
    assert (kept.key.to_bytes(), kept.identity) == (key.to_bytes(), "did:plc:ragtjsm2j2vknwkz3zp4oxrd")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text().split("private key: ")[1].split()[0] + "\n")
    assert recovery_file.read(path).key.to_bytes() == key.to_bytes()


def openmeet(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return FORK_SERVER.run("pds", *arguments, environment=environment)


@needs("reference")
async def test_recovery_to_the_reference_pds_by_the_command(
    countryside: Countryside, clock: HandClock, tmp_path: Path
) -> None:
    """The reference PDS accepts the account, with ``openmeet pds recovery-key`` and then ``openmeet pds recover``."""
    key_file = tmp_path / "key.txt"
    made = await asyncio.to_thread(openmeet, "recovery-key", str(key_file), "--json")
    assert made.returncode == 0, made.stderr
    public = json.loads(made.stdout)["public_key"]
    key = recovery_file.read(key_file).key
    assert isinstance(key, P256PrivateKey)
    assert format_did_key(key.public) == public
    did, path, uris = await left_behind(countryside, key)
    async with countryside.deployment("directory", ".none.test") as running:
        # It does not call literal IP addresses.
        reference = ReferencePds(tmp_path / "reference", running.directory.url.replace("127.0.0.1", "localhost"))
        await reference.start()
        try:
            done = await asyncio.to_thread(
                openmeet,
                *("recover", did, "--key-file", str(key_file), "--to", reference.url, "--archive", str(path)),
                *("--handle", "ana.test", "--email", "ana@example.org", "--plc-url", running.directory.url, "--dev"),
                OPENMEET_NEW_PASSWORD=PASSWORD,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            body = {"identifier": "ana.test", "password": PASSWORD}
            session = await reference.call(f"{SERVER}.createSession", body)
            assert (session["did"], session["active"]) == (did, True)
            listed = json.loads(
                await reference.read("com.atproto.repo.listRecords", repo=did, collection="org.example.note")
            )
            assert [record["uri"] for record in listed["records"]] == uris
            resolved = json.loads(await reference.read(f"{IDENTITY}.resolveHandle", handle="ana.test"))
            assert resolved["did"] == did
        finally:
            await reference.stop()
