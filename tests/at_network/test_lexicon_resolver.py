"""Resolving Lexicons: the domain names a repository, and the record is verified with a proof from that repository."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.simulation.lexicon_publisher import Publisher, lexicon, open_publisher

from at_network.did_resolver import DidResolver, DidSettings
from at_network.lexicon_resolver import LexiconResolver
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from groundwork.errors import Failure, NotFound, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient

NOTE = Nsid("edu.uni.lab.note")
DOCUMENT = lexicon(NOTE, {"text": {"type": "string"}})


@dataclass
class Scene:
    publisher: Publisher
    resolver: LexiconResolver
    clock: HandClock


@pytest.fixture
async def scene(http: HttpClient, clock: HandClock) -> AsyncIterator[Scene]:
    async with open_publisher() as publisher:
        dids = DidResolver(http, clock, DidSettings("http://127.0.0.1:1", is_development=True))
        resolver = LexiconResolver(http, dids, clock, dns=publisher.dns)
        yield Scene(publisher, resolver, clock)
        await resolver.close()
        await dids.close()


async def refusal(scene: Scene, nsid: Nsid = NOTE) -> Failure:
    with pytest.raises(Failure) as refused:
        await scene.resolver.resolve(nsid)
    return refused.value


async def test_a_published_lexicon_is_found_with_its_proof(scene: Scene) -> None:
    scene.publisher.publish(DOCUMENT)
    published = await scene.resolver.resolve(NOTE)
    assert published.uri == f"at://{scene.publisher.did}/com.atproto.lexicon.schema/{NOTE}"
    assert published.cid == Cid.for_cbor(cbor.encode(DOCUMENT))
    assert json_form.decode(published.schema) == DOCUMENT
    assert (await scene.resolver.document(NOTE)).defs.keys() == {"main"}
    assert scene.publisher.asked == 1


@pytest.mark.parametrize(
    "domain", ["_lexicon.uni.edu", "_lexicon.more.lab.uni.edu", "lab.uni.edu", "_atproto.lab.uni.edu"]
)
async def test_only_the_exact_domain_is_authoritative(scene: Scene, domain: str) -> None:
    """Only the exact domain of the NSID is authoritative, not a parent or a subdomain."""
    scene.publisher.publish(DOCUMENT)
    scene.publisher.names.records = {domain: [f'"did={scene.publisher.did}"']}
    failure = await refusal(scene)
    assert (type(failure), failure.name) == (NotFound, "LexiconNotFound")
    assert scene.publisher.names.asked == ["_lexicon.lab.uni.edu"]


async def test_two_authorities_are_refused(scene: Scene) -> None:
    scene.publisher.publish(DOCUMENT)
    records = scene.publisher.names.records["_lexicon.lab.uni.edu"]
    scene.publisher.names.records = {"_lexicon.lab.uni.edu": [*records, '"did=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"']}
    assert isinstance(await refusal(scene), NotFound)


async def test_missing_lexicon_is_proven_absent(scene: Scene) -> None:
    scene.publisher.publish(DOCUMENT)
    assert isinstance(await refusal(scene, Nsid("edu.uni.lab.other")), NotFound)


async def test_record_that_is_not_a_lexicon_is_refused(scene: Scene) -> None:
    scene.publisher.publish({**DOCUMENT, "lexicon": 2})
    failure = await refusal(scene)
    assert isinstance(failure, NotFound)
    assert "not a Lexicon" in failure.why


async def test_lexicon_signed_by_another_account_is_refused(scene: Scene) -> None:
    scene.publisher.publish(DOCUMENT)
    scene.publisher.signing_key = K256PrivateKey.from_random(b"x" * 64)
    failure = await refusal(scene)
    assert isinstance(failure, RemoteFailed)
    assert "prove" in failure.why


async def test_changed_key_is_fetched_once(scene: Scene) -> None:
    """If the authority signs with a new key, its document is fetched again once and the new key is accepted."""
    scene.publisher.publish(DOCUMENT)
    await scene.resolver.resolve(NOTE)
    scene.publisher.key = K256PrivateKey.from_random(b"n" * 64)
    scene.publisher.publish(lexicon("edu.uni.lab.second", {}))
    scene.clock.turn(MINUTE)
    assert (await scene.resolver.document(Nsid("edu.uni.lab.second"))).id == "edu.uni.lab.second"


async def test_known_lexicon_is_used_while_its_authority_is_down(scene: Scene) -> None:
    scene.publisher.publish(DOCUMENT)
    await scene.resolver.resolve(NOTE)
    scene.publisher.is_down = True
    scene.clock.turn(30 * DAY)
    assert (await scene.resolver.document(NOTE)).id == NOTE
    scene.clock.turn(61 * DAY)
    assert isinstance(await refusal(scene), RemoteFailed)


async def test_missing_lexicon_is_cached_for_minutes(scene: Scene) -> None:
    """A missing Lexicon is cached for some minutes, so that an unknown type that is written often is not looked up each
    time.
    """
    await refusal(scene)
    await refusal(scene)
    assert len(scene.publisher.names.asked) == 1
    scene.publisher.publish(DOCUMENT)
    scene.clock.turn(5 * MINUTE)
    await scene.resolver.resolve(NOTE)


async def test_failing_name_server_does_not_mean_absence(scene: Scene) -> None:
    scene.publisher.publish(DOCUMENT)
    scene.publisher.names.is_failing = True
    assert isinstance(await refusal(scene), RemoteFailed | RemoteSlow)
    scene.publisher.names.is_failing = False
    scene.clock.turn(HOUR)
    assert (await scene.resolver.document(NOTE)).id == NOTE


@pytest.mark.parametrize("excess", [{"x": [[]] * 9_000}, {"x": "a" * 140_000}, {"x": "\x01" * 100_000}])
async def test_lexicon_beyond_the_limits_is_refused(scene: Scene, excess: dict[str, Any]) -> None:
    """One byte of CBOR can take fifty in memory, and six in JSON."""
    scene.publisher.publish({**DOCUMENT, **excess})
    failure = await refusal(scene)
    assert isinstance(failure, NotFound)
    assert "larg" in failure.why
