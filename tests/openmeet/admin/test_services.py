"""Service credentials: what each scope allows and denies, and what happens to records that services submit."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from at_protocol.syntax.tid import from_microseconds
from groundwork.clock import HOUR, MINUTE, SECOND, HandClock
from groundwork.database.transaction import Database
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.api_tokens import service_tokens
from openmeet.domain.api_tokens.scopes import FOR_SERVICES, ServiceScope
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion import processor
from openmeet.network.ingestion.processor import Processor
from openmeet.network.ingestion.submitted_records import MAX_BATCH
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.seen import RecordState
from openmeet.network.status import SyncDependencies
from openmeet.outbox.kinds import JobKind
from openmeet.routes import operations
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, did, event, event_value, processor_metrics, rev, rsvp, rsvp_value
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.openmeet.site_under_test import api_session, change_services, site_on

EVENTS_PATH, RSVPS_PATH = "/api/bluesky/events/process", "/api/bluesky/rsvps/process"
TEA = f"at://{did(1)}/{EVENT}/tea"


@dataclass
class Bench:
    """The site, its databases and queue, and a client without a session."""

    db: Database
    queue: EmbeddedQueue
    client: httpx.AsyncClient
    clock: HandClock

    async def service(self, *may: ServiceScope) -> dict[str, str]:
        """Return request headers with a credential for a service that has these scopes."""
        async with self.db.transaction() as tx:
            _, token = await service_tokens.make(tx, name="A processor", scopes=may)
        return {"authorization": f"Bearer {token}"}

    async def work(self) -> None:
        """Process the queue until it is empty."""
        one = Processor(self.db, self.queue, HERE, processor_metrics())
        while await processor.run_once(one):
            pass


@pytest.fixture
async def bench(make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock) -> AsyncIterator[Bench]:
    db = await make_database("openmeet", clock=clock)
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)
    sync_dependencies = SyncDependencies(await make_sqlite("openmeet.network.firehose", clock=clock), queue, HERE)
    site = site_on(db, clock)
    change_services(site.app, sync_dependencies=sync_dependencies)
    async with site.browser() as client:
        yield Bench(db, queue, client, clock)


def sent(operation: str = "create", *, author: int = 1, rkey: str = "tea", at: int = 1, **more: Any) -> dict[str, Any]:
    """An event as an external processor submits it."""
    found = {"operation": operation, "did": did(author), "collection": EVENT, "rkey": rkey, "rev": rev(at)}
    return found | ({} if operation == "delete" else {"record": event_value()}) | more


def answer_sent(word: str = "going", *, author: int = 2, at: int = 2, **more: Any) -> dict[str, Any]:
    return sent(author=author, rkey="yes", at=at, collection=RSVP, record=rsvp_value(TEA, word)) | more


async def process(bench: Bench, path: str, headers: dict[str, str], *messages: dict[str, Any]) -> list[tuple[str, str]]:
    answer = await bench.client.post(path, json={"messages": list(messages)}, headers=headers)
    assert answer.status_code == HTTPStatus.OK, answer.text
    return [(one["outcome"], one["reason"]) for one in answer.json()["messages"]]


async def test_batch_in_any_order_and_again(bench: Bench):
    """An RSVP that comes before its event waits for it. Sending the same batches again changes nothing."""
    who = await bench.service(ServiceScope.PROCESS_EVENTS, ServiceScope.PROCESS_RSVPS)
    assert await process(bench, RSVPS_PATH, who, answer_sent()) == [("awaits_event", "")]
    assert await process(bench, EVENTS_PATH, who, sent(), sent("update", at=5, record=event_value("Coffee"))) == [
        ("applied", ""),
        ("applied", ""),
    ]
    view = await view_of(bench.db)
    assert (view.events, view.answers) == ({TEA: "Coffee"}, {(did(2), TEA): "going"})
    assert await process(bench, EVENTS_PATH, who, sent()) == [("known", "")]
    assert await process(bench, RSVPS_PATH, who, answer_sent()) == [("known", "")]
    assert await view_of(bench.db) == view
    assert await process(bench, RSVPS_PATH, who, answer_sent(at=9, operation="delete", record=None)) == [
        ("applied", "")
    ]
    assert (await view_of(bench.db)).answers == {}


async def test_same_batch_at_the_same_moment(bench: Bench):
    """Two processors that send the same batch at the same time create one event and one RSVP."""
    who = await bench.service(ServiceScope.PROCESS_EVENTS)
    batch = {"messages": [sent(rkey=f"tea{number}") for number in range(20)]}
    answers = await asyncio.gather(*(bench.client.post(EVENTS_PATH, json=batch, headers=who) for _ in range(2)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    again = await bench.client.post(EVENTS_PATH, json=batch, headers=who)
    assert {one["outcome"] for one in again.json()["messages"]} <= {"known", "applied"}
    assert len((await view_of(bench.db)).events) == 20


def nested(levels: int) -> list[Any]:
    """Return a list nested this deep."""
    found: list[Any] = []
    for _ in range(levels - 1):
        found = [found]
    return found


BAD = {
    "another collection": (sent(collection=RSVP), "n’t accepted here"),
    "no DID": (sent(did="ana"), "did"),
    "no revision": (sent(rev="yesterday"), "tid"),
    "another uri": (sent(uri=f"at://{did(1)}/{EVENT}/walk"), "URI"),
    "another CID": (sent(cid="bafyreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi"), "CID"),
    "no record": (sent(record=None), "n’t valid data"),
    "a record that is nested too deep": (sent(record=event_value(theme=nested(300))), "n’t valid data"),
    "a record that is deleted": (sent("delete", record=event_value()), "has no record"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_record_does_not_affect_the_others(bench: Bench, case: str):
    who = await bench.service(ServiceScope.PROCESS_EVENTS)
    bad, why = BAD[case]
    (wrong, reason), good = await process(bench, EVENTS_PATH, who, bad, sent(author=3))
    assert (wrong, good) == ("refused", ("applied", ""))
    assert why in reason


async def test_an_unmappable_record_is_kept_with_its_reason(bench: Bench):
    who = await bench.service(ServiceScope.PROCESS_EVENTS)
    odd = sent(record=event_value(startsAt="4000-01-01T00:00:00Z"))
    ((outcome, reason),) = await process(bench, EVENTS_PATH, who, odd)
    assert outcome == "raw"
    assert reason
    async with bench.db.reader() as reader:
        known = await seen.find(reader, TEA)
    assert known is not None
    assert (known.state, explain(known.reason)) == (RecordState.RAW, reason)


async def test_a_service_never_overrides_a_signed_record(bench: Bench):
    """If a service contradicts a signed record, the author's PDS is queried. A service with permission to vouch for
    records is trusted.
    """
    await apply_messages(bench.db, event(1, "tea", 1))
    who = await bench.service(ServiceScope.PROCESS_EVENTS)
    newer = sent("update", at=5, record=event_value("Forged"))
    assert await process(bench, EVENTS_PATH, who, newer) == [("known", "")]
    assert (await view_of(bench.db)).events == {TEA: "Tea"}
    async with bench.db.reader() as reader:
        queued = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind", kind=JobKind.PROVE_RECORD.value
        )
    assert [row["subject"] for row in queued] == [TEA]
    body = {"messages": [newer], "isVerified": True}
    refused = await bench.client.post(EVENTS_PATH, json=body, headers=who)
    assert (refused.status_code, refused.json()["title"]) == (403, "InsufficientScope")
    vouching = await bench.service(ServiceScope.PROCESS_EVENTS, ServiceScope.VOUCH)
    assert (await bench.client.post(EVENTS_PATH, json=body, headers=vouching)).status_code == HTTPStatus.OK
    assert (await view_of(bench.db)).events == {TEA: "Forged"}


async def test_each_scope_opens_its_operations_and_nothing_else(bench: Bench):
    """Every credential is tried on every operation of the API. A person's session gives access to none of the service
    operations.
    """
    wrong = []
    session = await api_session(bench.client, "ana@example.org", "Ana")
    for scope in ServiceScope:
        who = await bench.service(scope)
        for one in operations():
            answer = await bench.client.request(one.method, one.path.replace("{", "").replace("}", ""), headers=who)
            is_open = answer.status_code not in {401, 403}
            if is_open is not (FOR_SERVICES.get(one.name) is scope):
                wrong.append(f"{scope} {one.name}: {answer.status_code}")
    for one in operations():
        if one.name in FOR_SERVICES:
            refused = await bench.client.request(one.method, one.path, headers=session)
            nobody = await bench.client.request(one.method, one.path)
            if (refused.status_code, nobody.status_code) != (403, 401):
                wrong.append(f"{one.name}: {refused.status_code} with a session, {nobody.status_code} without")
    assert not wrong, "\n".join(wrong)


async def test_invalid_credentials_are_refused(bench: Bench):
    """Every service operation answers 401 with a challenge to an unknown credential, and 403 to a signed-in person
    without permission.
    """
    wrong = []
    known = await api_session(bench.client, "ana@example.org", "Ana")
    for one in operations():
        if one.name not in FOR_SERVICES:
            continue
        path = one.path.replace("{", "").replace("}", "")
        for token in ("nobody", "omt_nobody", "oms_nobody"):
            answer = await bench.client.request(one.method, path, headers={"authorization": f"Bearer {token}"})
            told = (answer.status_code, answer.headers.get("www-authenticate"), answer.json()["title"])
            if told != (401, 'Bearer error="invalid_token"', "InvalidToken"):
                wrong.append(f"{one.name} with {token}: {told}")
        if (await bench.client.request(one.method, path, headers=known)).status_code != HTTPStatus.FORBIDDEN:
            wrong.append(f"{one.name} with a session")
    mine = await bench.client.get("/api/me", headers={"authorization": "Bearer oms_nobody"})
    assert (mine.status_code, mine.json()["title"]) == (401, "InvalidToken")
    assert not wrong, "\n".join(wrong)


async def test_a_revoked_credential_gives_no_access(bench: Bench):
    who = await bench.service(ServiceScope.STATUS)
    assert (await bench.client.get("/api/sync/status", headers=who)).status_code == HTTPStatus.OK
    async with bench.db.transaction() as tx:
        (one,) = await service_tokens.listed(tx)
        assert one.last_used_at is not None
        await service_tokens.revoke(tx, one.id)
    assert (await bench.client.get("/api/sync/status", headers=who)).status_code == HTTPStatus.UNAUTHORIZED


async def test_submitting_and_withdrawing(bench: Bench):
    """Submitting returns 202, and the event appears. Withdrawing it twice or withdrawing an unknown record succeeds
    too.
    """
    who = await bench.service(ServiceScope.INTEGRATE)
    body = {"sourceType": "bluesky", "sourceId": TEA, "record": event_value()}
    taken = await bench.client.post("/api/integration/events", json=body, headers=who)
    assert taken.status_code == HTTPStatus.ACCEPTED
    assert taken.json()["messageId"].startswith(TEA)
    await bench.work()
    assert (await view_of(bench.db)).events == {TEA: "Tea"}
    answer = f"at://{did(2)}/{RSVP}/yes"
    about = {"sourceType": "bluesky", "sourceId": answer, "record": rsvp_value(TEA)}
    assert (await bench.client.post("/api/integration/rsvps", json=about, headers=who)).status_code == 202
    await bench.work()
    assert (await view_of(bench.db)).answers == {(did(2), TEA): "going"}
    bench.clock.turn(HOUR)
    for path, uri in (("rsvps", answer), ("events", TEA)):
        where = {"sourceId": uri, "sourceType": "bluesky"}
        gone = await bench.client.delete(f"/api/integration/{path}", params=where, headers=who)
        assert (gone.status_code, gone.json()["isChanged"]) == (200, True)
        again = await bench.client.delete(f"/api/integration/{path}", params=where, headers=who)
        assert (again.status_code, again.json()["isChanged"]) == (200, False)
        assert "nothing was changed" in again.json()["message"]
    view = await view_of(bench.db)
    assert (view.events, view.answers) == ({}, {})


async def test_a_record_withdrawn_while_queued_never_appears(bench: Bench):
    """If an event is withdrawn before its submission is processed, the event stays withdrawn, whichever of the two
    messages is applied first.
    """
    who = await bench.service(ServiceScope.INTEGRATE)
    body = {"sourceType": "bluesky", "sourceId": TEA, "record": event_value()}
    where = {"sourceId": TEA, "sourceType": "bluesky"}
    for _ in range(2):  # a withdrawn record may be submitted again
        bench.clock.turn(HOUR)
        await bench.client.post("/api/integration/events", json=body, headers=who)
        bench.clock.turn(SECOND)
        gone = await bench.client.delete("/api/integration/events", params=where, headers=who)
        assert (gone.status_code, gone.json()["isChanged"]) == (200, False)
        await bench.work()
        assert (await view_of(bench.db)).events == {}
    bench.clock.turn(HOUR)
    await bench.client.post("/api/integration/events", json=body, headers=who)
    await bench.work()
    assert (await view_of(bench.db)).events == {TEA: "Tea"}


async def test_a_withdrawal_counts_despite_a_clock_that_is_ahead(bench: Bench):
    """A withdrawal takes effect even if the submitting system's clock is four minutes ahead of this site's."""
    who = await bench.service(ServiceScope.INTEGRATE)
    ahead = str(from_microseconds(bench.clock.now() + 4 * MINUTE, 0))
    body = {"sourceType": "bluesky", "sourceId": TEA, "record": event_value(), "rev": ahead}
    await bench.client.post("/api/integration/events", json=body, headers=who)
    await bench.work()
    assert (await view_of(bench.db)).events == {TEA: "Tea"}
    where = {"sourceId": TEA, "sourceType": "bluesky"}
    for is_changed in (True, False):
        gone = await bench.client.delete("/api/integration/events", params=where, headers=who)
        assert (gone.status_code, gone.json()["isChanged"]) == (200, is_changed)
        assert (await view_of(bench.db)).events == {}


async def test_large_records_and_full_batches_fit(bench: Bench):
    """A record of the maximum size that a repository allows is accepted, and so are two hundred ordinary ones in one
    batch.
    """
    who = await bench.service(ServiceScope.PROCESS_EVENTS, ServiceScope.INTEGRATE)
    large = event_value(description="ü" * 450_000)
    assert await process(bench, EVENTS_PATH, who, sent(record=large)) == [("applied", "")]
    body = {"sourceType": "bluesky", "sourceId": TEA, "record": large}
    assert (await bench.client.post("/api/integration/events", json=body, headers=who)).status_code == 202
    many = [sent(author=3, rkey=f"tea-{n}", record=event_value(description="Tea. " * 400)) for n in range(MAX_BATCH)]
    assert await process(bench, EVENTS_PATH, who, *many) == [("applied", "")] * MAX_BATCH


async def test_withdrawing_one_rsvp_leaves_the_others(bench: Bench):
    """Only that RSVP is removed (invariant 9). RSVPs that their author signed stay until the author's server says
    otherwise.
    """
    await apply_messages(bench.db, event(1, "tea", 1), rsvp(2, "a", 2, TEA), rsvp(3, "a", 2, TEA))
    before = await view_of(bench.db)
    who = await bench.service(ServiceScope.INTEGRATE)
    where = {"sourceId": f"at://{did(2)}/{RSVP}/a", "sourceType": "bluesky"}
    said = await bench.client.delete("/api/integration/rsvps", params=where, headers=who)
    assert (said.status_code, said.json()["isChanged"]) == (200, False)
    assert "server is asked" in said.json()["message"]
    assert await view_of(bench.db) == before
    unknown = {**where, "sourceId": f"at://{did(5)}/{RSVP}/a"}
    assert (await bench.client.delete("/api/integration/rsvps", params=unknown, headers=who)).json()[
        "isChanged"
    ] is False
    for wrong in ("at://ana.example/x/y", "nothing", f"at://{did(2)}/{EVENT}/tea"):
        refused = await bench.client.delete("/api/integration/rsvps", params={**where, "sourceId": wrong}, headers=who)
        assert refused.status_code == HTTPStatus.BAD_REQUEST


async def test_status_lists_pending_work(bench: Bench):
    """The API returns everything that the operator page shows, as JSON."""
    await apply_messages(bench.db, event(1, "tea", 1), rsvp(2, "a", 2, f"at://{did(4)}/{EVENT}/unknown"))
    body = {"sourceType": "bluesky", "sourceId": TEA, "record": event_value()}
    await bench.client.post("/api/integration/events", json=body, headers=await bench.service(ServiceScope.INTEGRATE))
    shown = (await bench.client.get("/api/sync/status", headers=await bench.service(ServiceScope.STATUS))).json()
    assert shown["queue"]["waiting"] == 1
    assert shown["records"] == {"mapped": 1, "awaits_event": 1}
    queued = {(one["kind"], one["state"], one["number"]) for one in shown["jobs"]}
    assert queued == {("fetch_subject", "due", 1), ("refresh_identity", "due", 1)}
    assert (shown["sources"], shown["openConflicts"]) == ([], 0)
