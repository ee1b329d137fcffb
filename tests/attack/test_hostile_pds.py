"""When a PDS answers writes with arbitrary responses, the publication waits and is delivered once the PDS behaves
again.
"""

import json

import pytest
from aiohttp import web

from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import DAY, HOUR
from openmeet.i18n.reasons.messages import explain
from openmeet.network.records import seen
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deployment

__all__ = ["deployment"]

_WRONG_CID = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"


def _json(value: object, status: int = 200, **headers: str) -> web.Response:
    return web.Response(text=json.dumps(value), status=status, content_type="application/json", headers=headers)


def _error(name: str, message: str, status: int = 400, **headers: str) -> web.Response:
    return _json({"error": name, "message": message}, status, **headers)


def _html(_answer: web.Response) -> web.Response:
    return web.Response(text="<html><script>alert(1)</script>", content_type="text/html")


def _with_rev(answer: web.Response, rev: object) -> web.Response:
    said = json.loads(answer.body)  # type: ignore[arg-type]
    return _json({**said, "commit": {"cid": said["cid"], "rev": rev}}) if "commit" in said else answer


ANSWERS = {
    "html": _html,
    "nothing": lambda _: web.Response(),
    "a list": lambda _: _json([]),
    "no cid": lambda _: _json({"cid": 5}),
    "another cid": lambda _: _json(
        {"uri": "at://x", "cid": _WRONG_CID, "commit": {"cid": "x", "rev": "3jzfcijpj2z2a"}}
    ),
    "nul in rev": lambda answer: _with_rev(answer, "\x00"),
    "rev of the future": lambda answer: _with_rev(answer, "jzzzzzzzzzzzz"),
    "rev that is none": lambda answer: _with_rev(answer, "z" * 5000),
    "rev of another kind": lambda answer: _with_rev(answer, [1]),
    "redirect inside": lambda _: web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}),
    "redirect to a file": lambda _: web.Response(status=307, headers={"location": "file:///etc/passwd"}),
    "slow down": lambda _: _error("RateLimitExceeded", "later", 429, **{"retry-after": "30"}),
    "slow down for ever": lambda _: _error("RateLimitExceeded", "later", 429, **{"retry-after": "9" * 30}),
    "slow down backwards": lambda _: _error("RateLimitExceeded", "later", 429, **{"retry-after": "-5"}),
    "slow down in words": lambda _: _error("RateLimitExceeded", "later", 429, **{"retry-after": "soon"}),
    "swap storm": lambda _: _error("InvalidSwap", "Record was at another CID"),
    "nul in message": lambda _: _error("InternalServerError", "a\x00b\ud800", 500),
    "nul in name": lambda _: _error("\x00", "x", 500),
    "endless message": lambda _: _error("InternalServerError", "x" * 500_000, 500),
    "hidden message": lambda _: _error("InternalServerError", "\u202eevil\r\nset-cookie: a=b", 500),
    "error of lists": lambda _: _json({"error": [], "message": {}}, 500),
    "no error": lambda _: web.Response(status=503),
    "20 MB": lambda _: web.Response(body=b"x" * 20_000_000, content_type="application/json"),
    "deep": lambda _: web.Response(body=b"[" * 100_000, content_type="application/json"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_write_is_completed_after_any_hostile_reply(deployment: Deployment, name: str) -> None:
    ana = await deployment.person()
    event = await deployment.event(ana)
    deployment.proxy.twists = lambda request, answer: (
        ANSWERS[name](answer) if request.path.endswith("putRecord") else None
    )
    for _ in range(3):
        await deployment.deliver_publications()
        await deployment.ingest()
        deployment.clock.turn(HOUR)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state in {
        PublicationState.PUBLISHED,
        PublicationState.RETRYING,
        PublicationState.DUE,
        PublicationState.CONFLICTED,
    }
    words = explain(publication.explanation_for_owner(deployment.clock.now(), is_allowed=True))
    assert len(words) < 1000
    assert not {"\x00", "\u202e", "\n"} & set(words)
    deployment.proxy.twists = lambda _request, _answer: None
    for _ in range(6):
        deployment.clock.turn(2 * DAY)
        await deployment.deliver_publications()
        await deployment.ingest()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.PUBLISHED
    assert (await deployment.record(publication.uri))["name"] == event.title
    async with deployment.db.reader() as reader:
        known = await seen.find(reader, publication.uri)
    assert known is not None
    assert to_microseconds(parse_tid(known.rev)) <= deployment.clock.now()
    # The next edit is delivered too.
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await deployment.deliver_publications()
    assert (await deployment.record(publication.uri))["name"] == "Coffee in the park"


@pytest.mark.parametrize("message", ["x\x00y", "x" * 500_000, "\u202ex\r\ny"])
async def test_refusal_with_any_message_is_a_refusal(deployment: Deployment, message: str) -> None:
    ana = await deployment.person()
    event = await deployment.event(ana)
    deployment.proxy.twists = lambda request, _: (
        _error("InvalidRequest", message) if request.path.endswith("putRecord") else None
    )
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.REFUSED
    assert len(explain(publication.explanation_for_owner(deployment.clock.now(), is_allowed=True))) < 1000
