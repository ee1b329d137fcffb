"""Records that services submit over HTTP, when the records are on two real servers: this project's PDS and the
reference PDS.

A service is believed until a signed record contradicts it. Then the author's own server is queried.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from at_protocol.syntax.tid import from_microseconds
from groundwork.clock import MINUTE
from groundwork.http.server import serving
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.api_tokens import service_tokens
from openmeet.domain.api_tokens.scopes import ServiceScope
from openmeet.network.ingestion import fetch, identity_refresh, intake
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.status import SyncDependencies
from openmeet.outbox.kinds import JobKind
from tests.external_dependencies import needs
from tests.openmeet.publishing.two_servers import TwoServers, servers
from tests.openmeet.site_under_test import change_services, site_on
from tests.plain_http import NO_TLS

__all__ = ["servers"]

pytestmark = needs("reference")

TEA = {"$type": EVENT, "name": "Tea", "startsAt": "2099-07-04T18:00:00Z", "createdAt": "2026-03-01T12:00:00Z"}
HOMES = pytest.mark.parametrize(("host_at", "guest_at"), [("ours", "reference"), ("reference", "ours")])


@dataclass
class Service:
    """The site, and a service client with a credential. A host and a guest, who have never signed in on this site, have
    accounts on two servers.
    """

    servers: TwoServers
    client: httpx.AsyncClient

    async def account(self, name: str, home: str) -> str:
        """Create an account on a server for a person who has never signed in on this site. Returns the DID."""
        if home == "reference":
            made = await self.servers.reference.sign_up(name)
            self.servers.tokens[made["did"]] = made["accessJwt"]
            return str(made["did"])
        await self.servers.deployment.account(name)
        app = await self.servers.deployment.stranger(name)
        return str((await app.query("com.atproto.server.getSession", {}))["did"])

    async def write(self, name: str, uri: str, record: dict[str, Any] | None) -> str:
        """Write or delete a record with the person's own app, without notifying any other server. Returns the CID."""
        _, _, did, collection, rkey = uri.split("/")
        body: dict[str, Any] = {"repo": did, "collection": collection, "rkey": rkey}
        body |= {} if record is None else {"record": record}
        method = f"com.atproto.repo.{'deleteRecord' if record is None else 'putRecord'}"
        if did in self.servers.tokens:
            made = await self.servers.reference.call(method, body, token=self.servers.tokens[did])
        else:
            made = await (await self.servers.deployment.stranger(name)).procedure(method, body)
        return str((made or {}).get("cid", ""))

    async def run_until_idle(self) -> None:
        """Process the queue and deliver the jobs that query the servers."""
        deployment = self.servers.deployment
        for _ in range(3):
            await deployment.ingest()
            here = deployment.processor.ingestion_context
            await dispatcher.run_once(
                deployment.db,
                {
                    JobKind.PROVE_RECORD: one_job_per_call(
                        fetch.record_handler(deployment.db, deployment.network, here)
                    ),
                    JobKind.FETCH_SUBJECT: one_job_per_call(
                        fetch.subject_handler(deployment.db, deployment.network, here)
                    ),
                    JobKind.REFRESH_IDENTITY: one_job_per_call(
                        identity_refresh.identity_handler(deployment.db, deployment.network)
                    ),
                },
            )
            await intake.decide_due(deployment.db)
            deployment.clock.turn(MINUTE)

    def rev(self) -> str:
        return str(from_microseconds(self.servers.deployment.clock.now(), 0))

    async def hand_in(self, path: str, uri: str, record: dict[str, Any]) -> None:
        body = {"sourceType": "bluesky", "sourceId": uri, "record": record}
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 202, answer.text
        await self.run_until_idle()

    async def take_back(self, path: str, uri: str) -> tuple[str, bool]:
        answer = await self.client.delete(path, params={"sourceType": "bluesky", "sourceId": uri})
        assert answer.status_code == 200, answer.text
        await self.run_until_idle()
        return answer.json()["message"], answer.json()["isChanged"]

    async def process(self, path: str, uri: str, operation: str, record: dict[str, Any] | None) -> str:
        """Submit one message and return its result."""
        _, _, did, collection, rkey = uri.split("/")
        one = {"operation": operation, "did": did, "collection": collection, "rkey": rkey, "rev": self.rev()}
        one |= {} if record is None else {"record": record}
        answer = await self.client.post(path, json={"messages": [one]})
        assert answer.status_code == 200, answer.text
        await self.run_until_idle()
        return str(answer.json()["messages"][0]["outcome"])

    async def here(self) -> tuple[list[tuple[str, bool]], list[str]]:
        """Event titles with whether they are removed, and the statuses of the answers."""
        async with self.servers.deployment.db.reader() as reader:
            known = await reader.fetch("select title, removed_at from events order by title")
            answers = await reader.fetch("select status from attendances order by id")
        return [(row["title"], row["removed_at"] is not None) for row in known], [row["status"] for row in answers]


@pytest.fixture
async def service(servers: TwoServers) -> AsyncIterator[Service]:
    deployment = servers.deployment
    site = site_on(deployment.db, deployment.clock)
    change_services(
        site.app,
        sync_dependencies=SyncDependencies(
            deployment.consumer.db, deployment.queue, deployment.processor.ingestion_context
        ),
    )
    async with deployment.db.transaction() as tx:
        may = [one for one in ServiceScope if one is not ServiceScope.VOUCH]
        _, token = await service_tokens.make(tx, name="A processor", scopes=may)
    async with (
        serving(site.app) as server,
        httpx.AsyncClient(
            verify=NO_TLS, base_url=server.url, headers={"authorization": f"Bearer {token}"}, trust_env=False
        ) as client,
    ):
        yield Service(servers, client)


def answer_to(uri: str, cid: str, word: str) -> dict[str, Any]:
    return {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": cid},
        "status": f"{RSVP}#{word}",
        "createdAt": "2026-03-02T12:00:00Z",
    }


@HOMES
async def test_submissions_and_withdrawals_agree_with_the_servers(service: Service, host_at: str, guest_at: str):
    """The service's submission is used first. Once a server was queried, its response is used until it changes."""
    host, guest = await service.account("ana", host_at), await service.account("gus", guest_at)
    tea, mine = f"at://{host}/{EVENT}/3kaaaaaaaaa22", f"at://{guest}/{RSVP}/3kaaaaaaaaa33"
    cid = await service.write("ana", tea, TEA)
    await service.write("gus", mine, answer_to(tea, cid, "going"))

    # An RSVP before its event: the event is fetched from its own server.
    await service.hand_in("/api/integration/rsvps", mine, answer_to(tea, cid, "going"))
    assert await service.here() == ([("Tea", False)], ["attending"])
    await service.hand_in("/api/integration/events", tea, TEA | {"name": "Forged"})
    assert await service.here() == ([("Tea", False)], ["attending"]), "its server was queried and returned Tea"

    # A record that was never signed is removed and restored as the service says.
    assert (await service.take_back("/api/integration/rsvps", mine))[1]
    assert await service.here() == ([("Tea", False)], ["declined"])
    await service.hand_in("/api/integration/rsvps", mine, answer_to(tea, cid, "interested"))
    assert await service.here() == ([("Tea", False)], ["interested"])

    # An event that exists on its server stays on this site. Once the server has deleted it, it is deleted on this site
    # too.
    said, is_changed = await service.take_back("/api/integration/events", tea)
    assert ("asked" in said, is_changed) == (True, False)
    assert await service.here() == ([("Tea", False)], ["interested"])
    await service.write("ana", tea, None)
    await service.take_back("/api/integration/events", tea)
    assert (await service.here())[0] == [("Tea", True)]


@HOMES
async def test_batches_of_a_processor_agree_with_the_servers(service: Service, host_at: str, guest_at: str):
    """After a forged change the site queries the author's server, and also after a true one that only the service
    reported.
    """
    host, guest = await service.account("ana", host_at), await service.account("gus", guest_at)
    tea, mine = f"at://{host}/{EVENT}/3kaaaaaaaaa22", f"at://{guest}/{RSVP}/3kaaaaaaaaa33"
    cid = await service.write("ana", tea, TEA)
    await service.write("gus", mine, answer_to(tea, cid, "going"))
    events, answers = "/api/bluesky/events/process", "/api/bluesky/rsvps/process"
    assert await service.process(answers, mine, "create", answer_to(tea, cid, "going")) == "awaits_event"
    assert await service.here() == ([("Tea", False)], ["attending"])
    assert await service.process(events, tea, "update", TEA | {"name": "Forged"}) == "known"
    assert (await service.here())[0] == [("Tea", False)]
    await service.write("ana", tea, TEA | {"name": "Coffee"})
    assert await service.process(events, tea, "update", TEA | {"name": "Coffee"}) == "known"
    assert (await service.here())[0] == [("Coffee", False)]
    assert await service.process(events, tea, "delete", None) == "known"
    assert (await service.here())[0] == [("Coffee", False)], "the record is on its server"
    await service.write("ana", tea, None)
    assert await service.process(events, tea, "delete", None) == "known"
    assert (await service.here())[0] == [("Coffee", True)]
    refused = await service.client.post(events, json={"messages": [], "isVerified": True})
    del service.client.headers["authorization"]
    nobody = await service.client.post(events, json={"messages": []})
    assert (refused.status_code, nobody.status_code) == (403, 401)
