"""Two PDSes that share a directory, and somebody who moves between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.aurora_locus.deployment import ADMIN_PASSWORD, Deployment, Directory, Person
from tests.aurora_locus.mailbox import newest_token
from tests.databases import MakeDatabase, sqlite_url
from tests.simulation.processes import free_port

from at_network.migration import account, migrate, servers
from at_network.migration.account import NewAccount
from at_network.migration.migrate import Migration
from at_network.migration.progress import Progress
from at_network.migration.servers import MigrationServer
from at_network.plc_client import PlcClient
from at_protocol.syntax.did import Did
from aurora_locus.app import open_server
from aurora_locus.settings import PdsSettings
from groundwork.clock import HandClock
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serving
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from plc_directory.app import create_app
from plc_directory.store import OperationLimits

NOTE = "org.example.note"
PASSWORD = "password of ana"
NEW_PASSWORD = "another password of ana"


@pytest.fixture(autouse=True)
def _hashes_cheaply(cost_of_passwords: None) -> None:
    """Nothing here is about the hashing of passwords."""


@dataclass
class Journey:
    """Ana's move from the first server to the second. ``told`` collects the progress that is reported to her."""

    old_deployment: Deployment
    new_deployment: Deployment
    http: HttpClient
    folder: Path
    ana: Person
    told: list[Progress] = field(default_factory=list)

    async def old(self) -> MigrationServer:
        return await servers.sign_in(
            self.http, self.old_deployment.clock, self.old_deployment.url, "ana.one.test", PASSWORD
        )

    async def arrive(self, **changes: Any) -> MigrationServer:
        wanted = NewAccount(
            **{"handle": "ana.two.test", "email": "ana@example.com", "password": NEW_PASSWORD, **changes}
        )
        clock = self.new_deployment.clock
        side, _ = await account.sign_in_or_create(self.http, clock, await self.old(), self.new_deployment.url, wanted)
        return side

    async def move(self, **changes: Any) -> Migration:
        """A new migration that starts from the beginning, as after a restart of the program."""
        directory = PlcClient(self.http, self.old_deployment.directory.url)
        return migrate.Migration(
            await self.old(), await self.arrive(**changes), self.folder, directory, self.told.append
        )

    async def token(self, move: Migration) -> str:
        await move.old.client.procedure("com.atproto.identity.requestPlcOperationSignature")
        return await newest_token(self.old_deployment, "ana@example.org")

    async def repository(self, deployment: Deployment) -> dict[str, Any]:
        """Every record of the account by its URI, read anonymously."""
        found: dict[str, Any] = {}
        described = await deployment.http.get("/xrpc/com.atproto.repo.describeRepo", params={"repo": self.did})
        assert described.status_code == 200, described.text
        for collection in described.json()["collections"]:
            page = await deployment.http.get(
                "/xrpc/com.atproto.repo.listRecords",
                params={"repo": self.did, "collection": collection, "limit": 100},
            )
            found |= {one["uri"]: (one["cid"], one["value"]) for one in page.json()["records"]}
        return found

    async def blobs(self, deployment: Deployment) -> dict[str, bytes]:
        """Every blob of the account by its CID, read anonymously."""
        listed = await deployment.http.get("/xrpc/com.atproto.sync.listBlobs", params={"did": self.did, "limit": 500})
        assert listed.status_code == 200, listed.text
        found = {}
        for cid in listed.json()["cids"]:
            answer = await deployment.http.get("/xrpc/com.atproto.sync.getBlob", params={"did": self.did, "cid": cid})
            found[cid] = answer.content
        return found

    @property
    def did(self) -> Did:
        return self.ana.did


@pytest.fixture
async def journey(
    make_sqlite: MakeDatabase, sqlite_templates: Path, clock: HandClock, tmp_path: Path
) -> AsyncIterator[Journey]:
    """Ana has seven notes, three pictures and a preference on the first server, and no account on the second."""
    plc = await make_sqlite("plc_directory")
    directory = Directory(
        create_app(plc, OperationLimits(hourly=0, daily=0, weekly=0), Metrics("plc"), version="test", access_log=False)
    )
    async with AsyncExitStack() as stack:
        directory.url = (await stack.enter_async_context(serving(directory))).url
        deployments = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            port = free_port()
            settings = PdsSettings(
                dev_mode=True,
                port=port,
                public_url=f"http://localhost:{port}",
                data_directory=folder,
                database_url=await sqlite_url(folder, sqlite_templates, "aurora_locus"),
                did_plc_url=directory.url,
                service_handle_domains=(f".{name}.test",),
                admin_password=Secret(ADMIN_PASSWORD),
            )
            pds = await stack.enter_async_context(open_server(settings, clock, version="test", access_log=False))
            await stack.enter_async_context(serving(pds.app, port=port))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=settings.url, trust_env=False))
            deployments.append(Deployment(pds, directory, http, clock, settings))
        client = HttpClient(DEVELOPMENT)
        stack.push_async_callback(client.close)
        ana = await deployments[0].sign_up("ana", handle="ana.one.test")
        await add_content(ana)
        yield Journey(*deployments, client, tmp_path / "moving", ana)  # type: ignore[call-arg]  # two servers


async def add_content(person: Person) -> None:
    """Add records, blobs (one of them used twice) and preferences."""
    blobs = []
    for number in range(3):
        headers = {**person.headers, "content-type": "image/png"}
        content = b"\x89PNG\r\n\x1a\n" + bytes([number]) * (1000 + number)
        answer = await person.http.post("/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers)
        blobs.append(answer.json()["blob"])
    for number in range(7):
        record: dict[str, Any] = {
            "$type": NOTE,
            "text": f"note {number}",
            "number": number,
            "deep": {"list": [None, True]},
        }
        if number < 4:
            record["picture"] = blobs[number % 3]
        body = {"repo": person.did, "collection": NOTE, "rkey": f"note-{number}", "record": record}
        assert (await person.post("com.atproto.repo.createRecord", body)).status_code == 200
    preferences = [{"$type": "app.bsky.actor.defs#adultContentPref", "enabled": False}]
    assert (await person.post("app.bsky.actor.putPreferences", {"preferences": preferences})).status_code == 200
