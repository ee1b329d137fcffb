"""Answers of people and guests, on the site and as records in their repositories."""

from collections.abc import Mapping
from typing import Any

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from groundwork.clock import SECOND
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.records.collections import RSVP
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, records_in_repository
from tests.openmeet.publishing.deliveries import run_jobs_for_minutes
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record


async def publish_going_answer(deployment: Deployment) -> tuple[Caller, Did, Event, str]:
    """Cleo has answered "going" on this site, and her repository has the record."""
    event = await deployment.event(await deployment.connected("hedi"), title="Chess")
    await deployment.deliver_publications()
    cleo = await deployment.connected("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    return cleo, did, event, (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""


async def only_answer_status(deployment: Deployment) -> str:
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select status from attendances")
    return str(row["status"])


async def answer_words_in(deployment: Deployment, did: Did) -> dict[str, str]:
    """The status of each answer in a repository, by URI."""
    return {
        uri: (await deployment.record(uri))["status"].partition("#")[2]
        for uri in await records_in_repository(deployment, did, RSVP)
    }


async def answer_words_and_statuses(deployment: Deployment) -> tuple[list[str], list[str]]:
    """The statuses in Cleo's records, and her statuses on this site."""
    words = [str(record["value"]["status"]).rpartition("#")[2] for record in await cleos_records(deployment, RSVP)]
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status from attendances order by id")
    return words, [row["status"] for row in rows]


async def change_answer_in_app(deployment: Deployment, record: dict[str, Any], word: str | None) -> None:
    """Another app of Cleo's changes or deletes an answer."""
    deployment.clock.turn(SECOND)
    if word is None:
        await delete_cleos_record(deployment, record)
    else:
        await edit_cleos_record(deployment, record, status=f"{RSVP}#{word}")
    deployment.clock.turn(SECOND)


async def stored_answers(deployment: Deployment) -> list[tuple[str, str | None]]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status, record_uri from attendances")
    return [(row["status"], row["record_uri"]) for row in rows]


async def answer_in_app(
    deployment: Deployment, name: str, did: Did, event_uri: str, status: str = "going", at: str = ""
) -> str:
    """Another app writes a record that has not been ingested yet."""
    app = await deployment.stranger(name)
    subject = {"uri": event_uri, "cid": (await deployment.record(event_uri))["cid"]}
    record = {
        "$type": RSVP,
        "createdAt": at or "2026-03-01T00:00:00Z",
        "subject": subject,
        "status": f"{RSVP}#{status}",
    }
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "record": record})
    return str(made["uri"])


class Guest:
    """A person who has never used this site and answers in another app."""

    def __init__(self, deployment: Deployment, app: XrpcClient, did: str) -> None:
        self.deployment, self.app, self.did = deployment, app, did

    async def says(self, subject: Mapping[str, str], word: str) -> None:
        value = {
            "$type": RSVP,
            "subject": dict(subject),
            "status": f"{RSVP}#{word}",
            "createdAt": "2026-02-01T00:00:00.000Z",
        }
        body = {"repo": self.did, "collection": RSVP, "rkey": "mine", "record": value}
        await self.app.procedure("com.atproto.repo.putRecord", body)
        await self._heard()

    async def takes_back(self) -> None:
        body = {"repo": self.did, "collection": RSVP, "rkey": "mine"}
        await self.app.procedure("com.atproto.repo.deleteRecord", body)
        await self._heard()

    async def _heard(self) -> None:
        newest = (await self.app.query("com.atproto.sync.getLatestCommit", {"did": self.did}))["rev"]
        await self.deployment.follow_until(
            self.did, lambda state: state.last_head is not None and state.last_head.rev == newest
        )

    async def status(self, event: Event) -> str | None:
        """The status of the guest's answer on this site, or None if there is none."""
        async with self.deployment.db.reader() as reader:
            row = await reader.fetch_one(
                "select a.status from attendances a join identities i on i.user_id = a.user_id"
                " where i.did = :did and a.event_id = :id",
                did=self.did,
                id=event.id,
            )
        return None if row is None else row["status"]


async def new_guest(deployment: Deployment, name: str) -> Guest:
    await deployment.account(name)
    app = await deployment.stranger(name)
    return Guest(deployment, app, (await app.query("com.atproto.server.getSession", {}))["did"])


async def publish_event(deployment: Deployment, host: Caller) -> tuple[Event, dict[str, str]]:
    """A public event, and its record's URI."""
    event = await deployment.event(host)
    await run_jobs_for_minutes(deployment, host)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    return event, {"uri": uri, "cid": (await deployment.record(uri))["cid"]}
