"""Random histories of one event: what its hosts, guests and servers do, step by step."""

import asyncio
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import TidClock
from groundwork.clock import HOUR, MINUTE, Instant
from groundwork.http.server import serve
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.record_changes import DeletedRecordChoice
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import fetch, rsvps_awaiting_event
from openmeet.network.ingestion.processor import Processor
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.message import RecordMessage, decode
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, retry_now
from tests.openmeet.deployment import Deployment, details, records_listed
from tests.openmeet.publishing.event_hosts import add_co_host, hand_over_event

ANSWER_WORDS = ("going", "interested", "notgoing")
HISTORY_START = Instant(1_772_000_000_000_000)


# (action, number): the number selects a guest, a status or a URI.
HistoryStep = tuple[str, int]


@dataclass
class History:
    """One event, two people who can own it, two guests who use other apps, and the messages so far. ``guests`` has
    their DIDs and ``said`` their latest answers. ``records_seen`` has the event's records by URI, also deleted ones.
    """

    deployment: Deployment
    hosts: list[Caller]
    guests: dict[str, str]
    event: Event
    owner: int = 0
    uris: list[str] = field(default_factory=list)
    said: dict[str, str | None] = field(default_factory=dict)
    restarts: count = field(default_factory=lambda: count(4))
    numbers: count = field(default_factory=count)
    records_seen: dict[str, Any] = field(default_factory=dict)

    async def act(self, act: str, number: int) -> None:
        deployment, host = self.deployment, self.hosts[self.owner]
        self.deployment.clock.turn(MINUTE)
        now = await self.now()
        match act:
            case "off" | "on" | "private":
                wanted = {"off": "unlisted", "on": "public", "private": "private"}[act]
                async with deployment.db.transaction() as tx:
                    await event_hosting.revise(tx, host, now.slug, details(visibility=wanted))
            case "hand over":
                async with deployment.db.transaction() as tx:
                    await add_co_host_once(tx, now, host, self.hosts[1 - self.owner])
                await hand_over_event(deployment, now, host, self.hosts[1 - self.owner])
                self.owner = 1 - self.owner
            case "say":
                await self.say(sorted(self.guests)[number % 2], ANSWER_WORDS[number % 3], number)
            case "take back":
                await self.take_back(sorted(self.guests)[number % 2])
            case "delete record":
                await self.delete_record()
            case "recreate record" | "edit record":
                await self.write_record(is_deleted=act == "recreate record")
            case "pause account":
                await self.pause_account(number)
            case "decide":
                await self.decide(DeletedRecordChoice.PUBLISH if number % 2 else DeletedRecordChoice.KEEP)
            case "pay":
                await deployment.deliver_publications()
            case "hear":
                await self.read_stream()
            case "lose":
                deployment.proxy.loses = lambda request: request.path.endswith(("putRecord", "deleteRecord"))
                await deployment.deliver_publications()
                deployment.proxy.loses = lambda _request: False
            case "kill":
                await self.kill()
            case "restart":
                await self.restart()
        await self.note_uri()

    async def now(self) -> Event:
        async with self.deployment.db.reader() as reader:
            found = await by_id(reader, self.event.id)
        assert found is not None
        return found

    async def note_uri(self) -> None:
        await self.records(*await self.owners_app())
        uri = (await self.deployment.status_of(PublicationKind.EVENT, self.event.id)).uri
        if uri is not None and uri not in self.uris:
            self.uris.append(uri)

    async def say(self, name: str, word: str, number: int) -> None:
        """An app that has seen the event continues to use the URI that it saw."""
        if not self.uris:
            return
        cid = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
        value = {
            "$type": RSVP,
            "subject": {"uri": self.uris[number % len(self.uris)], "cid": cid},
            "status": f"{RSVP}#{word}",
            "createdAt": "2026-02-01T00:00:00.000Z",
        }
        did, app = self.guests[name], await self.deployment.stranger(name)
        body = {"repo": did, "collection": RSVP, "rkey": "mine", "record": value}
        await app.procedure("com.atproto.repo.putRecord", body)
        self.said[name] = word

    async def take_back(self, name: str) -> None:
        did, app = self.guests[name], await self.deployment.stranger(name)
        await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": RSVP, "rkey": "mine"})
        if name in self.said:
            self.said[name] = None

    async def delete_record(self) -> None:
        """Another app of the owner deletes the event's record from the owner's repository."""
        app, did = await self.owners_app()
        for uri in await self.records(app, did):
            rkey = uri.rpartition("/")[2]
            await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": rkey})

    async def write_record(self, *, is_deleted: bool) -> None:
        """Another app of the owner adds a field to the event's record, or restores a deleted record with this field."""
        app, did = await self.owners_app()
        present = await self.records(app, did)
        for uri, value in self.records_seen.items():
            if uri.split("/")[2] == did and (uri not in present) is is_deleted:
                record = {**value, "org.example.number": next(self.numbers)}
                body = {"repo": did, "collection": EVENT, "rkey": uri.rpartition("/")[2], "record": record}
                await app.procedure("com.atproto.repo.putRecord", body)

    async def pause_account(self, number: int) -> None:
        """The owner deactivates the account and activates it again. Publishers may notice."""
        app, _ = await self.owners_app()
        await app.procedure("com.atproto.server.deactivateAccount", {})
        if number % 2:
            await self.deployment.deliver_publications()
        await app.procedure("com.atproto.server.activateAccount", None)

    async def owners_app(self) -> tuple[XrpcClient, Did]:
        """Another app of the owner, and the owner's repository."""
        did = (await self.deployment.identity(self.hosts[self.owner].user_id)).did
        return await self.deployment.stranger(("ana", "ben")[self.owner]), did

    async def records(self, app: XrpcClient, did: Did) -> dict[str, Any]:
        """The event records in a repository by URI. Also remembers them."""
        listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": EVENT})
        found = {record["uri"]: record["value"] for record in records_listed(listed)}
        self.records_seen |= found
        return found

    async def decide(self, decision: DeletedRecordChoice) -> None:
        now = await self.now()
        if now.record_deleted_at is not None:
            async with self.deployment.db.transaction() as tx:
                await event_hosting.decide_about_deleted_record(tx, self.hosts[self.owner], now.slug, decision)

    async def read_stream(self) -> None:
        deployment = self.deployment
        client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
        for did in [*[(await deployment.identity(one.user_id)).did for one in self.hosts], *self.guests.values()]:
            newest = (await client.query("com.atproto.sync.getLatestCommit", {"did": did}))["rev"]
            await deployment.follow_until(
                did, lambda state, rev=newest: state.last_head is not None and state.last_head.rev >= rev
            )

    async def kill(self) -> None:
        """Kill the publisher on the first write that it sends. The write arrives."""
        task = asyncio.create_task(self.deployment.deliver_publications())

        def dies(request: Any) -> bool:
            is_write = request.path.endswith(("putRecord", "deleteRecord"))
            if is_write:
                task.cancel()
            return is_write

        self.deployment.proxy.loses = dies
        await asyncio.gather(task, return_exceptions=True)
        self.deployment.proxy.loses = lambda _request: False

    async def restart(self) -> None:
        """Restart both servers, so that all state in memory is lost."""
        deployment = self.deployment
        await deployment.pds_serving.stop()
        deployment.pds_serving = await serve(
            deployment.pds.app, "127.0.0.1", int(deployment.pds_url.rpartition(":")[2])
        )
        deployment.publisher = replace(deployment.publisher, tids=TidClock(next(self.restarts)))
        deployment.processor = Processor(
            deployment.db, deployment.queue, deployment.processor.ingestion_context, deployment.processor.metrics
        )
        deployment.consumer = replace(deployment.consumer)
        deployment.clock.turn(HOUR)

    async def run_until_idle(self) -> None:
        deployment = self.deployment
        for _ in range(6):
            await deployment.deliver_publications()
            here = deployment.processor.ingestion_context
            await dispatcher.run_once(
                deployment.db,
                {
                    JobKind.FETCH_SUBJECT: one_job_per_call(
                        fetch.subject_handler(deployment.db, deployment.network, here)
                    ),
                    JobKind.GAINED_ACCESS: one_job_per_call(rsvps_awaiting_event.gained_access_handler(deployment.db)),
                    JobKind.LATE_WRITE: one_job_per_call(late_write_handler(deployment.publisher)),
                },
            )
            await self.read_stream()
            deployment.clock.turn(HOUR)
        await self.note_uri()


async def add_co_host_once(tx: Any, event: Event, author: Caller, beside: Caller) -> None:
    row = await tx.fetch_one(
        "select id from event_co_hosts where event_id = :event_id and user_id = :user_id",
        event_id=event.id,
        user_id=beside.user_id,
    )
    if row is None:
        await add_co_host(tx, event, author, beside)


async def begin_history(deployment: Deployment) -> History:
    hosts = [await deployment.connected("ana"), await deployment.connected("ben")]
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    guests = {}
    for name in ("gus", "lou"):
        await deployment.account(name)
        app = await deployment.stranger(name)
        guests[name] = str((await app.query("com.atproto.server.getSession", {}))["did"])
    # Commits must be followed from the beginning. Otherwise they are not received later.
    deployment.consumer.interests.followed.update(guests.values())
    for one in hosts:
        deployment.consumer.interests.followed.add((await deployment.identity(one.user_id)).did)
    history = History(deployment, hosts, guests, await deployment.event(hosts[0]))
    await history.run_until_idle()
    return history


def collect_messages(deployment: Deployment) -> list[RecordMessage]:
    """Collect every message that arrives from the firehose from this point."""
    heard: list[RecordMessage] = []
    publish = deployment.queue.publish

    async def listening(messages: Any) -> None:
        heard.extend(one for one in (decode(message.body) for message in messages) if isinstance(one, RecordMessage))
        await publish(messages)

    deployment.queue.publish = listening  # type: ignore[method-assign]
    return heard


async def publish_if_kept(history: History) -> None:
    async with history.deployment.db.transaction() as tx:
        await retry_now(tx, kind=PublicationKind.EVENT, subject_id=history.event.id)
