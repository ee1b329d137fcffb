"""The actions of people in the simulation with their own application and their account."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from at_network.migration import account, servers
from at_network.migration.account import NewAccount
from at_network.migration.migrate import Migration, copy_account, finish
from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE, HandClock
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox
from openmeet.network.repositories.clients import NetworkClients
from programs import recovery
from tests.plain_http import NO_TLS
from tests.simulation.announced import Held, held_in
from tests.simulation.simulation_home import ADMIN, HANDLE_DOMAIN, Home

PASSWORD = "a long password"
TOKEN_LIFE = 60 * MINUTE
# A record that has nothing to do with calendars.
NOTE = "com.example.note"
# How many copies of their repository people keep.
COPIES = 3
# How long they wait on a busy machine, and how often they retry when a server is too busy to respond.
TIMEOUT_SECONDS = 120
TRIES = 10


class PatientClient(httpx.AsyncClient):
    """A client that retries when a server is temporarily unavailable (503)."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        answer = await super().send(request, **options)
        for _ in range(TRIES):
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            answer = await super().send(request, **options)
        return answer


@dataclass
class Application:
    """A person's own client on their PDS. It reads before it writes, and keeps fields that it does not know."""

    http: httpx.AsyncClient
    clock: HandClock
    did: str
    home: Home
    _access: str
    _since: int
    # Commits that this application made, by rev. All others in the repository were made by OpenMeet.
    revs: set[str] = field(default_factory=set)
    # The key that can change the identity without a server. The person keeps it.
    recovery_key: K256PrivateKey = field(kw_only=True)
    # Older states of the repository, as files.
    copies: list[bytes] = field(default_factory=list)
    # The account has been deleted and not recreated.
    is_gone: bool = False

    @classmethod
    async def sign_up(cls, home: Home, clock: HandClock, name: str, secret: bytes) -> "Application":
        http = _client_of(home)
        key = K256PrivateKey.from_bytes(secret)
        body = {
            "handle": name + HANDLE_DOMAIN,
            "email": f"{name}@example.net",
            "password": PASSWORD,
            "recoveryKey": format_did_key(key.public),
        }
        made = await http.post("/com.atproto.server.createAccount", json=body)
        assert made.status_code == 200, made.text
        session = made.json()
        return cls(http, clock, session["did"], home, session["accessJwt"], clock.now(), recovery_key=key)

    async def records(self, collection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            parameters = {"repo": self.did, "collection": collection, "limit": "100", **cursor}
            page = (await self.http.get("/com.atproto.repo.listRecords", params=parameters)).json()
            found += page["records"]
            if not page.get("cursor"):
                return found
            cursor = {"cursor": page["cursor"]}

    async def create(self, collection: str, record: dict[str, Any]) -> tuple[str, str]:
        made = await self._call("createRecord", {"collection": collection, "record": record})
        return made["uri"], made["cid"]

    async def replace(self, uri: str, cid: str, record: dict[str, Any]) -> None:
        _, _, _, collection, rkey = uri.split("/")
        await self._call("putRecord", {"collection": collection, "rkey": rkey, "record": record, "swapRecord": cid})

    async def delete(self, uri: str) -> None:
        _, _, _, collection, rkey = uri.split("/")
        await self._call("deleteRecord", {"collection": collection, "rkey": rkey})

    async def write_unrelated_record(self) -> None:
        """Write a record that OpenMeet ignores."""
        await self.create(NOTE, {"$type": NOTE, "text": f"at {self.clock.now()}"})

    async def held(self) -> Held:
        """The current repository."""
        return held_in(await self._export())

    async def keep_copy(self) -> None:
        self.copies = [*self.copies[1 - COPIES :], await self._export()]

    async def turn_back(self, copy: bytes) -> None:
        """Restore the repository to its state when the copy was made."""
        await self._renew()
        headers = {"authorization": f"Bearer {self._access}", "content-type": MEDIA_TYPE}
        answer = await self.http.post("/com.atproto.repo.importRepo", content=copy, headers=headers)
        assert answer.status_code == 200, answer.text

    async def _export(self) -> bytes:
        answer = await self.http.get("/com.atproto.sync.getRepo", params={"did": self.did})
        assert answer.status_code == 200, answer.text
        return answer.content

    async def _call(self, method: str, body: dict[str, Any]) -> Any:
        if self.clock.now() - self._since > TOKEN_LIFE:
            await self._renew()
        headers = {"authorization": f"Bearer {self._access}"}
        answer = await self.http.post(f"/com.atproto.repo.{method}", json={"repo": self.did, **body}, headers=headers)
        assert answer.status_code == 200, f"{method}: {answer.text}"
        if commit := answer.json().get("commit"):
            self.revs.add(commit["rev"])
        return answer.json()

    async def rename(self, handle: str) -> None:
        """Give the account another handle."""
        await self._renew()
        headers = {"authorization": f"Bearer {self._access}"}
        answer = await self.http.post("/com.atproto.identity.updateHandle", json={"handle": handle}, headers=headers)
        assert answer.status_code == 200, answer.text

    async def sign_out_everywhere(self) -> None:
        """End every session of the account, including OpenMeet's, as after a change of password."""
        async with self.home.pds.registry.db.transaction() as tx:
            await tx.execute("delete from sessions where did = :did", did=self.did)
        self._since = -TOKEN_LIFE

    async def end(self) -> None:
        """Delete the account with all its data at its PDS. The identity still belongs to the person."""
        answer = await self.http.post("/com.atproto.admin.deleteAccount", json={"did": self.did}, auth=("admin", ADMIN))
        assert answer.status_code == 200, answer.text
        self.is_gone = True

    async def recreate_account(self, handle: str, email: str, network: NetworkClients, directory: PlcClient) -> None:
        """Create an empty account with the same DID, using the person's own key."""
        means = recovery.RecoveryContext(network.http, self.clock, directory, parse_did(self.did), self.recovery_key)
        await recovery.move(
            means, recovery.RecoveryTarget(self.home.url, handle, email, PASSWORD), None, lambda _said: None
        )
        self.is_gone = False
        await self._renew()

    async def move(
        self, to: Home, handle: str, email: str, folder: Path, network: NetworkClients, directory: PlcClient
    ) -> None:
        """Move the account with all its data to another PDS."""
        old = await servers.sign_in(network.http, self.clock, self.home.url, self.did, PASSWORD)
        wanted = NewAccount(handle=handle, email=email, password=PASSWORD)
        new, _ = await account.sign_in_or_create(network.http, self.clock, old, to.url, wanted)
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        move = Migration(old, new, folder, directory)
        await copy_account(move)
        await old.client.procedure("com.atproto.identity.requestPlcOperationSignature")
        await finish(move, await _mailed_token(self.home, email, self.clock))
        await self.http.aclose()
        self.http, self.home = _client_of(to), to
        await self._renew()

    async def _renew(self) -> None:
        answer = await self.http.post(
            "/com.atproto.server.createSession", json={"identifier": self.did, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        self._access = answer.json()["accessJwt"]
        self._since = self.clock.now()


def _client_of(home: Home) -> httpx.AsyncClient:
    return PatientClient(verify=NO_TLS, base_url=f"{home.url}/xrpc", timeout=TIMEOUT_SECONDS, trust_env=False)


async def _mailed_token(home: Home, to: str, clock: HandClock) -> str:
    """The token in the newest e-mail, as soon as the PDS has written it."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while await _undelivered(home):  # noqa: ASYNC110 - the server's own task delivers, and tells nobody
            await asyncio.sleep(0.01)
    mailbox = FolderMailbox(home.folder / "mail", Sender("test", parse_address("test@example.org")), clock)
    newest, *_ = await mailbox.newest(to=to)
    found = re.search(r"^    ([A-Z2-7]{5}-[A-Z2-7]{5})$", newest.text, re.MULTILINE)
    assert found is not None
    return found[1]


async def _undelivered(home: Home) -> int:
    async with home.pds.registry.db.reader() as reader:
        row = await reader.fetch_one("select count(*) as n from outbox_jobs where state <> 'completed'")
    assert row is not None
    return int(row["n"])
