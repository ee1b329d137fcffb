"""Record types whose Lexicon must be resolved, and the method that returns the result."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from at_network.lexicon_resolver import ResolvedLexicon
from at_network.txt_records import Dns
from at_protocol.syntax.nsid import Nsid
from aurora_locus.repository import type_resolver
from groundwork.clock import DAY, HOUR, MINUTE
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment, Person
from tests.aurora_locus.oauth.scoped_app import SCOPE_MISSING, let_in_scoped_app
from tests.simulation.lexicon_publisher import Publisher, lexicon, open_publisher

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

NOTE = "edu.uni.lab.note"
POINT = "com.example.place.point"


@pytest.fixture
async def publisher(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Publisher]:
    async with open_publisher() as opened:
        monkeypatch.setattr("at_network.lexicon_resolver.Dns", lambda: opened.dns)
        # Both are on this machine, so only a slow machine causes delays.
        monkeypatch.setattr(type_resolver, "PATIENCE_SECONDS", 10.0)
        monkeypatch.setattr(type_resolver.TypeResolver.__init__, "__kwdefaults__", {"patience_seconds": 10.0})
        yield opened


@pytest.fixture
async def deployment(make_deployment: MakeDeployment, publisher: Publisher) -> Deployment:
    assert isinstance(publisher.dns, Dns)
    return await make_deployment(lexicon_resolution_enabled=True)


async def resolve(deployment: Deployment, nsid: str) -> httpx.Response:
    return await deployment.http.get("/xrpc/com.atproto.lexicon.resolveLexicon", params={"nsid": nsid})


async def write(person: Person, collection: str, value: dict[str, Any], validate: bool | None = None) -> httpx.Response:
    body = {"repo": person.did, "collection": collection, "record": value}
    return await person.post(
        "com.atproto.repo.createRecord", body | ({} if validate is None else {"validate": validate})
    )


async def test_type_with_a_published_lexicon_is_validated(deployment: Deployment, publisher: Publisher) -> None:
    publisher.publish(lexicon(NOTE, {"text": {"type": "string", "maxLength": 5}}, required=["text"]))
    ana = await deployment.sign_up("ana")
    answer = await write(ana, NOTE, {"text": "short"})
    assert answer.json()["validationStatus"] == "valid"
    refused = await write(ana, NOTE, {"text": "too long"})
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequest")
    assert "too long" in refused.json()["message"]
    assert (await write(ana, NOTE, {"text": "short"}, validate=True)).status_code == 200
    unchecked = await write(ana, NOTE, {"text": "too long"}, validate=False)
    assert "validationStatus" not in unchecked.json()
    assert publisher.asked == 1


async def test_unknown_type_is_written_without_validation(deployment: Deployment, publisher: Publisher) -> None:
    """A record of an unknown type is written without validation, and its Lexicon is not looked up again for a while."""
    ana = await deployment.sign_up("ana")
    for _ in range(3):
        answer = await write(ana, NOTE, {"text": "anything"})
        assert answer.json()["validationStatus"] == "unknown"
    assert len(publisher.names.asked) == 1
    assert (await write(ana, NOTE, {}, validate=True)).status_code == 400


async def test_batch_waits_no_longer_than_a_single_write(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of unknown types is written after the wait of one type, however many types it has."""
    asked: list[Nsid] = []

    async def silent(_resolver: object, nsid: Nsid) -> ResolvedLexicon:
        asked.append(nsid)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("at_network.lexicon_resolver.LexiconResolver.resolve", silent)
    monkeypatch.setattr(type_resolver.TypeResolver.__init__, "__kwdefaults__", {"patience_seconds": 0.015})
    deployment = await make_deployment(lexicon_resolution_enabled=True)
    ana = await deployment.sign_up("ana")
    creation = {"$type": "com.atproto.repo.applyWrites#create", "value": {"text": "anything"}}
    writes = [{**creation, "collection": f"edu.uni.lab.kind{number}"} for number in range(20)]
    answer = await ana.post("com.atproto.repo.applyWrites", {"repo": ana.did, "writes": writes})
    assert {result["validationStatus"] for result in answer.json()["results"]} == {"unknown"}
    assert len(asked) == 1


async def test_type_is_validated_only_if_its_references_resolve(deployment: Deployment, publisher: Publisher) -> None:
    publisher.publish(lexicon(NOTE, {"at": {"type": "ref", "ref": POINT}}))
    ana = await deployment.sign_up("ana")
    assert (await write(ana, NOTE, {"at": 1})).json()["validationStatus"] == "unknown"
    point = lexicon(POINT, {})
    point["defs"]["main"] = {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}}
    publisher.publish(point)
    deployment.clock.turn(5 * MINUTE)
    assert (await write(ana, NOTE, {"at": {"x": 1}})).json()["validationStatus"] == "valid"
    assert (await write(ana, NOTE, {"at": {}})).status_code == 400


async def test_a_newer_version_replaces_the_older(deployment: Deployment, publisher: Publisher) -> None:
    publisher.publish(lexicon(NOTE, {"text": {"type": "string", "maxLength": 5}}))
    ana = await deployment.sign_up("ana")
    assert (await write(ana, NOTE, {"text": "too long"})).status_code == 400
    publisher.publish(lexicon(NOTE, {"text": {"type": "string", "maxLength": 50}}))
    deployment.clock.turn(100 * DAY)
    ana = deployment.person(await deployment.sign_in("ana.test", "password of ana"))
    assert (await write(ana, NOTE, {"text": "too long"})).status_code == 200


async def test_built_in_lexicons_are_never_replaced(deployment: Deployment, publisher: Publisher) -> None:
    publisher.publish(lexicon("app.bsky.feed.like", {}))
    ana = await deployment.sign_up("ana")
    assert (await write(ana, "app.bsky.feed.like", {"subject": 1})).status_code == 400
    assert publisher.names.asked == []


async def test_only_record_types_are_learned(deployment: Deployment, publisher: Publisher) -> None:
    """A permission set, or a method, that is used as a collection is not kept in place of the published one."""
    document = lexicon(NOTE, {})
    document["defs"]["main"] = {"type": "permission-set", "permissions": []}
    publisher.publish(document)
    ana = await deployment.sign_up("ana")
    assert (await write(ana, NOTE, {})).json()["validationStatus"] == "unknown"
    assert deployment.pds.authorization.permission_documents._catalog.find(NOTE) is None


async def test_write_that_is_refused_resolves_nothing(deployment: Deployment, publisher: Publisher) -> None:
    """Nobody makes this server look up types without permission to write them, or more than one commit can have."""
    publisher.publish(lexicon(NOTE, {}))
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    one = {"repo": ben.did, "collection": NOTE, "rkey": "a", "record": {}}
    creation = {"$type": "com.atproto.repo.applyWrites#create", "value": {}}
    many = [{**creation, "collection": f"edu.uni.lab.kind{number}"} for number in range(201)]
    for method, body in (
        ("createRecord", one),
        ("putRecord", one),
        ("applyWrites", {"repo": ben.did, "writes": many[:1]}),
        ("applyWrites", {"repo": ana.did, "writes": many}),
    ):
        assert (await ana.post(f"com.atproto.repo.{method}", body)).status_code in (400, 403), method
    app = await let_in_scoped_app(deployment, ana.did, "atproto repo:org.example.other")
    assert await app.write("createRecord", NOTE) == SCOPE_MISSING
    assert publisher.names.asked == []


async def test_without_the_setting_no_lexicon_is_resolved(
    make_deployment: MakeDeployment, publisher: Publisher
) -> None:
    deployment = await make_deployment()
    publisher.publish(lexicon(NOTE, {"text": {"type": "string", "maxLength": 5}}))
    ana = await deployment.sign_up("ana")
    assert (await write(ana, NOTE, {"text": "too long"})).json()["validationStatus"] == "unknown"
    assert publisher.names.asked == []


async def test_resolve_lexicon_returns_the_published_document(deployment: Deployment, publisher: Publisher) -> None:
    document = lexicon(NOTE, {"text": {"type": "string"}})
    publisher.publish(document)
    answer = await resolve(deployment, NOTE)
    assert answer.json()["schema"] == document
    assert answer.json()["uri"] == f"at://{publisher.did}/com.atproto.lexicon.schema/{NOTE}"
    absent = await resolve(deployment, "edu.uni.lab.other")
    assert (absent.status_code, absent.json()["error"]) == (400, "LexiconNotFound")
    publisher.names.is_failing = True
    deployment.clock.turn(HOUR)
    failing = await resolve(deployment, "com.example.third.thing")
    assert (failing.status_code, failing.json()["error"]) == (502, "UpstreamFailure")
