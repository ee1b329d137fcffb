"""Compares with the reference PDS: what an app may do with each set of scopes, and how the refusal is named."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from at_protocol.crypto.jwk import thumbprint
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.oauth.dpop import make_proof
from at_protocol.syntax.did import Did
from checks import reference
from groundwork.clock import SystemClock
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.oauth.apps import NOTE, App, fresh_key, localhost_id
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.simulation.reference_pds import ReferencePds

pytestmark = needs("reference")

REPO, SERVER, IDENTITY = "com.atproto.repo", "com.atproto.server", "com.atproto.identity"
VIEW, TIMELINE = "did:web:view.example.org", "app.bsky.feed.getTimeline"
SCOPES = (
    "atproto",
    "atproto transition:generic",
    "atproto transition:generic transition:email transition:chat.bsky",
    f"atproto repo:{NOTE}?action=create",
    f"atproto repo:{NOTE} blob:image/*",
    f"atproto rpc:{TIMELINE}?aud=*",
    f"atproto rpc:*?aud={VIEW}%23bsky_appview",
    "atproto account:email?action=manage account:repo?action=manage",
    "atproto identity:*",
)
# With transition:generic, an app gets no token for all methods at once (that would include conversations) and none with
# which it could open an account at another server.
_OPENING = f"a token for {SERVER}.createAccount at {VIEW}"
STRICTER = dict.fromkeys(("a token", _OPENING, f"{_OPENING}#bsky_appview"), ((403, "ScopeMissingError"), (200, "")))


@dataclass
class Side:
    """Ana's app on one of the servers. ``url`` is the address that the server has for itself."""

    http: httpx.AsyncClient
    url: str
    did: str
    token: str
    key: P256PrivateKey
    nonce: str | None = None

    async def call(self, nsid: str, body: Any = None, *, content: bytes | None = None, **query: str) -> tuple[int, str]:
        """Status and error name of a call; POST if there is a body or content."""
        method = "GET" if body is None and content is None else "POST"
        for _ in range(2):  # the first proof has no nonce
            proof = make_proof(
                self.key,
                method=method,
                url=f"{self.url}/xrpc/{nsid}",
                token_id=secrets.token_hex(8),
                now_seconds=int(time.time()),
                nonce=self.nonce,
                access_token=self.token,
            )
            headers = {"authorization": f"DPoP {self.token}", "dpop": proof}
            if content is not None:
                headers["content-type"] = query.get("type", "")
            parameters = {name: value for name, value in query.items() if name != "type"}
            sent = None if body is None else msgspec.json.encode(body)
            if body is not None:
                headers["content-type"] = "application/json"
            answer = await self.http.request(
                method, f"/xrpc/{nsid}", params=parameters, content=content or sent, headers=headers
            )
            is_first = self.nonce is None
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            if not is_first:
                break
        return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]

    async def results(self) -> dict[str, tuple[int, str]]:
        """The result of each call, by a short description."""
        note = {"repo": self.did, "collection": NOTE, "record": {"$type": NOTE}}
        other = {"repo": self.did, "collection": "org.example.other", "record": {"$type": "org.example.other"}}
        write = {"collection": NOTE, "rkey": "one"}
        found = {
            "create": await self.call(f"{REPO}.createRecord", note),
            "create elsewhere": await self.call(f"{REPO}.createRecord", other),
            "put": await self.call(f"{REPO}.putRecord", {**note, "rkey": "one"}),
            "delete": await self.call(f"{REPO}.deleteRecord", {"repo": self.did, "collection": NOTE, "rkey": "none"}),
            "session": await self.call(f"{SERVER}.getSession"),
            "status": await self.call(f"{SERVER}.checkAccountStatus"),
            "missing blobs": await self.call(f"{REPO}.listMissingBlobs"),
            "app passwords": await self.call(f"{SERVER}.listAppPasswords"),
            "credentials": await self.call(f"{IDENTITY}.getRecommendedDidCredentials"),
            "a token": await self.call(f"{SERVER}.getServiceAuth", aud=VIEW),
            "a new app password": await self.call(f"{SERVER}.createAppPassword", {"name": "x"}),
            "confirming": await self.call(f"{SERVER}.confirmEmail", {"email": "ana@example.org", "token": "x"}),
            "a change of e-mail": await self.call(f"{SERVER}.requestEmailUpdate", content=b""),
            "a change of handle": await self.call(f"{IDENTITY}.updateHandle", {"handle": "a.test"}),
            "an operation": await self.call(f"{IDENTITY}.signPlcOperation", {"token": "x"}),
        }
        for kind in ("create", "update", "delete"):
            one = {
                "$type": f"{REPO}.applyWrites#{kind}",
                **write,
                **({} if kind == "delete" else {"value": note["record"]}),
            }
            one["rkey"] = secrets.token_hex(4) if kind == "create" else one["rkey"]
            if kind == "create" or found["put"][0] == 200:
                found[f"a batch with {kind}"] = await self.call(
                    f"{REPO}.applyWrites", {"repo": self.did, "writes": [one]}
                )
        for media in ("image/png", "text/plain"):
            found[f"a file: {media}"] = await self.call(f"{REPO}.uploadBlob", content=media.encode(), type=media)
        for lxm in (TIMELINE, "chat.bsky.convo.listConvos", f"{SERVER}.createAccount"):
            for aud in (VIEW, f"{VIEW}#bsky_appview"):
                found[f"a token for {lxm} at {aud}"] = await self.call(f"{SERVER}.getServiceAuth", aud=aud, lxm=lxm)
        return found


@dataclass(frozen=True)
class Two:
    ours: Deployment
    theirs: ReferencePds
    ana_here: Did
    ana_there: str


@pytest.fixture
async def two(make_sqlite: MakeDatabase, tmp_path: Path) -> AsyncIterator[Two]:
    clock = SystemClock()
    plc = await make_sqlite("plc_directory", clock=clock)
    async with open_deployment(f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path) as ours:  # type: ignore[arg-type]  # a real clock
        theirs = ReferencePds(tmp_path / "reference", ours.directory.url.replace("127.0.0.1", "localhost"))
        await theirs.start()
        try:
            ana = await ours.sign_up("ana")
            yield Two(ours, theirs, ana.did, (await theirs.sign_up("ana"))["did"])
        finally:
            await theirs.stop()


async def _allowed_there(two: Two, key: P256PrivateKey, scope: str) -> str:
    """An app's access token, made by the reference's own code."""
    node = reference.node()
    assert node is not None
    process = await asyncio.create_subprocess_exec(
        node,
        *(reference.FOLDER / "let_in.mjs", two.ana_there, localhost_id(scope), thumbprint(key.public), scope),
        cwd=reference.FOLDER,
        env={**os.environ, **two.theirs.environment(), "LOG_ENABLED": "false"},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return str(msgspec.json.decode(output)["access_token"])


async def test_scopes_allow_the_same_at_both_servers(two: Two) -> None:
    async with httpx.AsyncClient(base_url=two.theirs.url, trust_env=False) as to_them:
        for scope in SCOPES:
            key = fresh_key()
            app = App(two.ours, client_id=localhost_id(scope), key=key, scope=scope)
            tokens = await app.let_in(two.ana_here)
            ours = Side(two.ours.http, two.ours.settings.url, two.ana_here, tokens.access_token, key)
            theirs = Side(to_them, two.theirs.url, two.ana_there, await _allowed_there(two, key, scope), key)
            here, there = await ours.results(), await theirs.results()
            different = {name: (here[name], there[name]) for name in there if here[name] != there[name]}
            assert different == (STRICTER if "transition:generic" in scope else {}), scope
