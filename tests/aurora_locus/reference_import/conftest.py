"""A used and stopped reference PDS: created once, imported by the tests, never changed."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from aiohttp import ClientSession, ClientTimeout, encode_basic_auth

from at_protocol.crypto.jwk import thumbprint
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.data import cbor
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import from_microseconds
from checks import reference
from tests.aurora_locus.repository.importing import file_of_blocks
from tests.external_dependencies import is_available
from tests.legacy_records import LEGACY_PATHS, LEGACY_RECORDS
from tests.simulation.processes import Program, free_port
from tests.simulation.reference_pds import ReferencePds

NOTE = "org.example.note"
SCOPE = "atproto transition:generic"
CLIENT_ID = "http://localhost?" + urlencode({"scope": SCOPE, "redirect_uri": "http://127.0.0.1/callback"})
PICTURE = b"\x89PNG\r\n\x1a\n" + b"a picture " * 1000
WAITING = b"uploaded, and in no record yet"
PREFERENCES = [{"$type": "app.bsky.actor.defs#adultContentPref", "enabled": False}]


@dataclass
class Deployment:
    """What the reference PDS stored and sent before it was stopped."""

    reference: ReferencePds
    plc_url: str
    folder: Path
    killed: Path
    """The folder as a killed process would have left it: the write-ahead logs are not written back."""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    exports: dict[str, bytes] = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)
    app_password: str = ""
    invite: str = ""
    picture: str = ""
    hidden: str = ""
    email_token: str = ""
    reserved_key: str = ""
    app_key: P256PrivateKey = field(default_factory=lambda: P256PrivateKey.from_random(secrets.token_bytes(48)))
    app_tokens: dict[str, Any] = field(default_factory=dict)
    refused_while_running: tuple[int, str] = (0, "")
    looked_at_while_running: tuple[int, str] = (1, "")

    def did(self, name: str) -> str:
        return str(self.people[name]["did"])


@pytest.fixture(scope="session")
async def deployment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    if not is_available("reference"):
        pytest.skip("missing dependency: reference")
    root = tmp_path_factory.mktemp("deployment")
    port = free_port()
    plc_url = f"http://127.0.0.1:{port}"
    environment = {"PLC_PORT": str(port), "PLC_DATA_DIRECTORY": str(root / "plc"), "PLC_HOURLY_LIMIT": "0"}
    plc = Program("plc", environment, root / "plc.log", f"{plc_url}/_health")
    await plc.start()
    settings = {"PDS_BSKY_APP_VIEW_URL": "http://127.0.0.1:9", "PDS_BSKY_APP_VIEW_DID": "did:web:view.test"}
    settings["PDS_HCAPTCHA_SITE_KEY"] = "a function that is not here"
    reference = ReferencePds(root / "old", plc_url, settings=settings)
    await reference.start()
    deployment = Deployment(reference, plc_url, reference.folder, root / "killed")
    try:
        await _live(deployment)
        shutil.copytree(deployment.folder, deployment.killed)
        environment = {"LOG": str(root / "running.log")}
        into = ["--into", str(root / "too early")]
        deployment.refused_while_running = await openmeet(
            "adopt", str(deployment.folder), *into, environment=environment
        )
        environment = {"LOG": str(root / "beside.log")}
        looking = ["adopt", str(deployment.folder), "--dry-run", "--json"]
        deployment.looked_at_while_running = await openmeet(*looking, environment=environment)
    finally:
        await reference.stop()
    try:
        yield deployment
    finally:
        assert await plc.stop() == 0


async def _live(deployment: Deployment) -> None:
    """Ana writes, ben deactivates his account for a while, cleo is taken down, dora has written nothing."""
    reference = deployment.reference
    for name in ("ana", "ben", "cleo", "dora"):
        deployment.passwords[name] = f"password of {name}"
        deployment.people[name] = await reference.sign_up(name, deployment.passwords[name])
    ana = deployment.people["ana"]["accessJwt"]
    async with ClientSession(timeout=ClientTimeout(total=30)) as http:

        async def upload(content: bytes, kind: str) -> dict[str, Any]:
            headers = {"authorization": f"Bearer {ana}", "content-type": kind}
            url = f"{reference.url}/xrpc/com.atproto.repo.uploadBlob"
            async with http.post(url, data=content, headers=headers) as answer:
                return dict((await answer.json())["blob"])

        async def administer(nsid: str, body: dict[str, Any]) -> dict[str, Any]:
            headers = {"authorization": encode_basic_auth("admin", reference.admin_password)}
            async with http.post(f"{reference.url}/xrpc/{nsid}", json=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                return dict(await answer.json()) if answer.content_length else {}

        writes = [
            {"$type": "com.atproto.repo.applyWrites#create", "collection": NOTE, "value": {"$type": NOTE, "number": n}}
            for n in range(120)
        ]
        body = {"repo": deployment.did("ana"), "writes": writes}
        made = await reference.call("com.atproto.repo.applyWrites", body, token=ana)
        picture = await upload(PICTURE, "image/png")
        deployment.picture = picture["ref"]["$link"]
        await upload(WAITING, "text/plain")
        for value in ({"$type": NOTE, "picture": picture}, {"$type": NOTE, "number": 0}):
            record = {"repo": deployment.did("ana"), "collection": NOTE, "record": value}
            await reference.call("com.atproto.repo.createRecord", record, token=ana)
        gone = {"repo": deployment.did("ana"), "collection": NOTE, "rkey": made["results"][5]["uri"].rsplit("/", 1)[1]}
        await reference.call("com.atproto.repo.deleteRecord", gone, token=ana)
        password = await reference.call("com.atproto.server.createAppPassword", {"name": "phone"}, token=ana)
        deployment.app_password = password["password"]
        await reference.call("app.bsky.actor.putPreferences", {"preferences": PREFERENCES}, token=ana)
        deployment.invite = (await administer("com.atproto.server.createInviteCode", {"useCount": 3}))["code"]
        deployment.hidden = made["results"][7]["uri"]
        subject = {"$type": "com.atproto.repo.strongRef", "uri": deployment.hidden, "cid": made["results"][7]["cid"]}
        decision = {"subject": subject, "takedown": {"applied": True, "ref": "a rule"}}
        await administer("com.atproto.admin.updateSubjectStatus", decision)
        cleo = {"$type": "com.atproto.admin.defs#repoRef", "did": deployment.did("cleo")}
        decision = {"subject": cleo, "takedown": {"applied": True, "ref": "another rule"}}
        await administer("com.atproto.admin.updateSubjectStatus", decision)
    await _move_in_oddly(deployment)
    await _move_in_silently(deployment)
    await reference.call("com.atproto.server.deactivateAccount", {}, token=deployment.people["ben"]["accessJwt"])
    deployment.app_tokens = await _let_in(deployment)
    reserved = await reference.call("com.atproto.server.reserveSigningKey", {})
    deployment.reserved_key = reserved["signingKey"]
    await reference.call("com.atproto.server.requestPasswordReset", {"email": "dora@example.org"})
    (mail,) = reference.mails()
    (deployment.email_token,) = [word for word in mail["text"].split() if len(word) == 11 and word[5] == "-"]
    for name in ("ana", "dora"):
        deployment.exports[name] = await reference.read("com.atproto.sync.getRepo", did=deployment.did(name))
    deployment.frames = await frames_since(reference.url, 0)


async def _move_in_oddly(deployment: Deployment) -> None:
    """Import a repository for Eve with records and paths that cannot be written today, and then write to it."""
    deployment.people["eve"] = await deployment.reference.sign_up("eve", "password of eve")
    token, did = deployment.people["eve"]["accessJwt"], Did(deployment.did("eve"))
    blocks = {f"{NOTE}/{name}": block for name, (block, _) in LEGACY_RECORDS.items()}
    blocks |= dict.fromkeys(LEGACY_PATHS, b"\xa1aa\x01")
    data = file_of_blocks(did, blocks, from_microseconds(1_700_000_000_000_000, 3))
    await _import(deployment, token, data)
    record = {"repo": did, "collection": NOTE, "rkey": "later", "record": {"$type": NOTE, "": "an empty key"}}
    await deployment.reference.call("com.atproto.repo.createRecord", record, token=token)
    deployment.exports["eve"] = await deployment.reference.read("com.atproto.sync.getRepo", did=did)


async def _move_in_silently(deployment: Deployment) -> None:
    """Import a repository for Fay and write nothing, so that its head is signed by the key of the previous server."""
    deployment.people["fay"] = await deployment.reference.sign_up("fay", "password of fay")
    token, did = deployment.people["fay"]["accessJwt"], Did(deployment.did("fay"))
    data = file_of_blocks(
        did, {f"{NOTE}/first": cbor.encode({"$type": NOTE, "number": 1})}, from_microseconds(1_700_000_000_000_000, 3)
    )
    await _import(deployment, token, data)
    deployment.exports["fay"] = await deployment.reference.read("com.atproto.sync.getRepo", did=did)


async def _import(deployment: Deployment, token: str, data: bytes) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/vnd.ipld.car"}
    url = f"{deployment.reference.url}/xrpc/com.atproto.repo.importRepo"
    async with (
        ClientSession(timeout=ClientTimeout(total=30)) as http,
        http.post(url, data=data, headers=headers) as done,
    ):
        assert done.status == 200, await done.text()


async def _let_in(deployment: Deployment) -> dict[str, Any]:
    """Create an app's tokens for ana's account with the reference's own code."""
    node = reference.node()
    assert node is not None
    process = await asyncio.create_subprocess_exec(
        node,
        reference.FOLDER / "let_in.mjs",
        deployment.did("ana"),
        CLIENT_ID,
        thumbprint(deployment.app_key.public),
        SCOPE,
        cwd=reference.FOLDER,
        env={**os.environ, **deployment.reference.environment(), "LOG_ENABLED": "false"},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return dict(msgspec.json.decode(output))


async def frames_since(url: str, cursor: int, quiet_seconds: float = 1.0) -> list[bytes]:
    """The firehose frames after a cursor, until none has arrived for a while."""
    target = f"{url.replace('http', 'ws', 1)}/xrpc/com.atproto.sync.subscribeRepos?cursor={cursor}"
    frames: list[bytes] = []
    async with ClientSession() as http, http.ws_connect(target, max_msg_size=0) as socket:
        while True:
            try:
                frames.append(await socket.receive_bytes(timeout=quiet_seconds))
            except TimeoutError:
                return frames


async def ask(url: str, nsid: str, token: str | None = None, **parameters: Any) -> tuple[int, bytes]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with (
        ClientSession(timeout=ClientTimeout(total=30)) as http,
        http.get(f"{url}/xrpc/{nsid}", params=parameters, headers=headers) as answer,
    ):
        return answer.status, await answer.read()


async def call(url: str, nsid: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with (
        ClientSession(timeout=ClientTimeout(total=30)) as http,
        http.post(f"{url}/xrpc/{nsid}", json=body, headers=headers) as answer,
    ):
        content = await answer.read()
        return answer.status, msgspec.json.decode(content) if content else None


async def openmeet(*arguments: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run one of our commands; returns its exit status and output."""
    program = Program("pds", environment, Path(environment["LOG"]), arguments=list(arguments))
    await program.start()
    assert program.process is not None
    status = await asyncio.wait_for(program.process.wait(), 120)
    return status, program.said()
