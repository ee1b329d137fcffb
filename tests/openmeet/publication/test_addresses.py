"""An event keeps its address in a repository: taken off the network and published again it is the same record, whose answers count."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from at_network.xrpc_client import XrpcClient
from groundwork.clock import DAY, HOUR, MINUTE
from groundwork.errors import Conflict, NotFound
from groundwork.outbox import dispatcher
from groundwork.outbox.dispatcher import HandlerOptions
from groundwork.queue.contract import Message
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import fetch
from openmeet.network.ingestion.apply import apply
from openmeet.network.publishing.in_flight import abandoned_create_handler
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, ORIGIN_KEY, RSVP
from openmeet.network.records.message import RecordMessage, decode
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState, try_again
from tests.openmeet.publication.test_lent_accounts import host_beside
from tests.openmeet.publication.test_owners import hand_over
from tests.openmeet.town import Town


async def settle(town: Town, *people: Caller) -> None:
    """Everything that is due is done, and everything that was committed is heard."""
    for _ in range(4):
        await town.pay()
        await dispatcher.run_once(
            town.db,
            {
                JobKind.FETCH_SUBJECT: HandlerOptions(
                    fetch.subject_handler(town.db, town.network, town.processor.here)
                ),
                JobKind.LATE_CREATE: HandlerOptions(abandoned_create_handler(town.publisher)),
            },
        )
        for who in people:
            await town.listen(who.user_id)
        await town.ingest()
        town.clock.turn(MINUTE)


class Guest:
    """Somebody who never came here and answers in an app of theirs."""

    def __init__(self, town: Town, app: XrpcClient, did: str) -> None:
        self.town, self.app, self.did = town, app, did

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
        await self.town.follow_until(self.did, lambda state: state.known is not None and state.known.rev == newest)

    async def status(self, event: Event) -> str | None:
        """How the answer stands here; None where there is none."""
        async with self.town.db.reader() as reader:
            row = await reader.fetch_one(
                "select a.status from attendances a join identities i on i.user_id = a.user_id"
                " where i.did = :did and a.event_id = :id",
                did=self.did,
                id=event.id,
            )
        return None if row is None else row["status"]


async def guest(town: Town, name: str) -> Guest:
    await town.account(name)
    app = await town.stranger(name)
    return Guest(town, app, (await app.query("com.atproto.server.getSession", {}))["did"])


async def published(town: Town, host: Caller) -> tuple[Event, dict[str, str]]:
    """A public event, and what names its record."""
    event = await town.event(host)
    await settle(town, host)
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri or ""
    return event, {"uri": uri, "cid": (await town.record(uri))["cid"]}


async def off_the_network(town: Town, host: Caller, event: Event) -> None:
    await town.revise(host, event.slug, visibility="unlisted")
    await settle(town, host)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED


async def on_the_network(town: Town, host: Caller, event: Event) -> None:
    await town.revise(host, event.slug)
    await settle(town, host)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


@pytest.mark.parametrize("host_is", ["ours", "elsewhere"])
async def test_it_is_published_again_under_its_address(town: Town, host_is: str):
    """With another version in its mark of origin: no two writes of one key have the same bytes."""
    ana = await (town.person("Ana") if host_is == "ours" else town.connected("ana"))
    event, first = await published(town, ana)
    versions = [(await town.record(first["uri"]))[ORIGIN_KEY]["version"]]
    cids = {first["cid"]}
    for _ in range(2):
        await off_the_network(town, ana, event)
        await on_the_network(town, ana, event)
        assert (await town.standing(PublicationKind.EVENT, event.id)).uri == first["uri"]
        record = await town.record(first["uri"])
        versions.append(record[ORIGIN_KEY]["version"])
        cids.add(record["cid"])
    assert versions == sorted(set(versions))
    assert len(cids) == 3


async def test_answers_to_it_count_while_it_is_off_the_network_and_afterwards(town: Town):
    """Whoever changes or deletes their answer meanwhile has changed it; nothing is set aside."""
    ana = await town.person("Ana")
    event, named = await published(town, ana)
    goes, stays, leaves, late = [await guest(town, name) for name in ("gus", "sam", "lee", "lou")]
    for one in (goes, stays, leaves):
        await one.says(named, "going")
    await off_the_network(town, ana, event)
    await goes.says(named, "notgoing")
    await leaves.takes_back()
    await late.says(named, "interested")
    assert [await one.status(event) for one in (goes, stays, leaves)] == ["declined", "attending", "declined"]
    await on_the_network(town, ana, event)
    assert [await one.status(event) for one in (goes, stays, leaves, late)] == [
        "declined",
        "attending",
        "declined",
        "interested",
    ]
    await stays.says(named, "notgoing")
    assert await stays.status(event) == "declined"


async def test_answers_to_a_private_event_wait_as_long_as_it_is_here(town: Town):
    """Whoever may not see it waits, for longer than answers to events that nobody knows, and counts when it is opened again."""
    ana = await town.person("Ana")
    event, named = await published(town, ana)
    await town.revise(ana, event.slug, visibility="private")
    await settle(town, ana)
    lou = await guest(town, "lou")
    await lou.says(named, "going")
    assert await lou.status(event) is None
    town.clock.turn(40 * DAY)
    async with town.db.transaction() as tx:
        assert await seen.expire_parked(tx) == 0
    await on_the_network(town, ana, event)
    assert await lou.status(event) == "attending"


async def test_echoes_and_replays_of_earlier_lives_change_nothing(town: Town, monkeypatch: pytest.MonkeyPatch):
    """Every message that ever came, again and in the other order, after it has been taken off and published again."""
    ana = await town.connected("ana")
    heard: list[RecordMessage] = []
    publish = town.queue.publish

    async def listening(messages: Sequence[Message]) -> None:
        heard.extend(one for one in (decode(message.body) for message in messages) if isinstance(one, RecordMessage))
        await publish(messages)

    monkeypatch.setattr(town.queue, "publish", listening)
    event, _ = await published(town, ana)
    await off_the_network(town, ana, event)
    await on_the_network(town, ana, event)
    assert [one.operation.value for one in heard if not one.is_read] == ["create", "delete", "create"]
    before = await town.standing(PublicationKind.EVENT, event.id)
    for order in (heard, heard[::-1]):
        async with town.db.transaction() as tx:
            await apply(tx, town.processor.here, order)
    assert await town.standing(PublicationKind.EVENT, event.id) == before
    async with town.db.reader() as reader:
        rows = await reader.fetch("select record_uri, removed_at, record_deleted_at from events")
    assert [tuple(row) for row in rows] == [(before.uri, None, None)]


@pytest.mark.parametrize("lost", ["deleteRecord", "putRecord"])
@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "read back"])
async def test_lost_replies_leave_one_record_under_one_key(town: Town, lost: str, is_heard: bool):
    ana = await town.person("Ana")
    event, first = await published(town, ana)
    town.proxy.loses = lambda request: request.path.endswith(lost)
    await town.revise(ana, event.slug, visibility="unlisted")
    await town.pay()
    if is_heard:
        await town.listen(ana.user_id)
    await town.revise(ana, event.slug)
    for _ in range(3):
        await town.pay()
        if is_heard:
            await town.listen(ana.user_id)
        town.clock.turn(HOUR)
    town.proxy.loses = lambda _request: False
    await settle(town, ana)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.uri) == (PublicationState.PUBLISHED, first["uri"])
    async with town.db.reader() as reader:
        rows = await reader.fetch("select removed_at, record_deleted_at, record_uri from events")
    assert [tuple(row) for row in rows] == [(None, None, first["uri"])]


async def test_a_late_delete_does_not_meet_the_record_that_was_published_since(town: Town):
    """A delete that nobody answered names the version it was for."""
    ana = await town.connected("ana")
    event, first = await published(town, ana)
    await off_the_network(town, ana, event)
    await on_the_network(town, ana, event)
    app = await town.stranger("ana")
    _, _, did, collection, rkey = first["uri"].split("/")
    late = {"repo": did, "collection": collection, "rkey": rkey, "swapRecord": first["cid"]}
    with pytest.raises(Conflict):
        await app.procedure("com.atproto.repo.deleteRecord", late)


async def test_a_key_that_another_app_has_taken_is_left_to_a_person(town: Town):
    """What stands there is not ours: it is neither overwritten nor taken for a second event. When it is gone, the event is published there."""
    ana = await town.connected("ana")
    event, first = await published(town, ana)
    await off_the_network(town, ana, event)
    app = await town.stranger("ana")
    _, _, did, collection, rkey = first["uri"].split("/")
    other: dict[str, Any] = {"$type": EVENT, "name": "Something else", "createdAt": "2026-01-01T00:00:00.000Z"}
    named = {"repo": did, "collection": collection, "rkey": rkey}
    await app.procedure("com.atproto.repo.putRecord", {**named, "record": other})
    await settle(town, ana)
    await town.revise(ana, event.slug)
    await settle(town, ana)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.state is PublicationState.CONFLICTED
    assert (await town.record(first["uri"]))["name"] == "Something else"
    async with town.db.reader() as reader:
        assert [row["title"] for row in await reader.fetch("select title from events")] == ["Tea in the park"]
    await app.procedure("com.atproto.repo.deleteRecord", named)
    await settle(town, ana)
    async with town.db.transaction() as tx:
        await try_again(tx, kind=PublicationKind.EVENT, subject_id=event.id)
    await settle(town, ana)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.uri) == (PublicationState.PUBLISHED, first["uri"])


async def test_a_copy_of_the_record_is_taken_back_whatever_stood_under_its_key(town: Town):
    """For fewer people by now; her app has written something of its own there, and brings the record of before back in."""
    ana = await town.connected("ana")
    event, first = await published(town, ana)
    before = {name: value for name, value in (await town.record(first["uri"])).items() if name != "cid"}
    await off_the_network(town, ana, event)
    app = await town.stranger("ana")
    _, _, did, collection, rkey = first["uri"].split("/")
    other: dict[str, Any] = {"$type": EVENT, "name": "Something else", "createdAt": "2026-01-01T00:00:00.000Z"}
    for record in (other, before | {"theme": "blue"}):
        body = {"repo": did, "collection": collection, "rkey": rkey, "record": record}
        await app.procedure("com.atproto.repo.putRecord", body)
        await settle(town, ana)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.uri) == (PublicationState.RETRACTED, None)
    with pytest.raises(NotFound):
        await town.record(first["uri"])


async def test_back_in_a_repository_it_has_the_key_that_it_had_there(town: Town):
    """Handed over and back, with the first record taken away in between: answers to every address count."""
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event, first = await published(town, ana)
    gus = await guest(town, "gus")
    async with town.db.transaction() as tx:
        await host_beside(tx, event, ana, ben)
    await hand_over(town, event, ana, ben)
    await settle(town, ana, ben)
    second = (await town.standing(PublicationKind.EVENT, event.id)).uri or ""
    assert second != first["uri"]
    await town.revise(ben, event.slug, visibility="unlisted")
    await settle(town, ana, ben)
    await gus.says(first, "going")
    assert await gus.status(event) == "attending"
    await hand_over(town, event, ben, ana)
    await settle(town, ana, ben)
    await town.revise(ana, event.slug)
    await settle(town, ana, ben)
    assert (await town.standing(PublicationKind.EVENT, event.id)).uri == first["uri"]
    await gus.says({"uri": second, "cid": first["cid"]}, "notgoing")
    assert await gus.status(event) == "declined"
    await hand_over(town, event, ana, ben)
    await settle(town, ana, ben)
    assert (await town.standing(PublicationKind.EVENT, event.id)).uri == second
