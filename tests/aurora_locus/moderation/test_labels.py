"""Labels of the host: signed, public, and withdrawn by a negation."""

import base64
from typing import Any

import pytest
from websockets.asyncio.client import connect

from at_protocol.crypto.did_key import parse_multikey
from at_protocol.data import cbor
from at_protocol.sync import frames
from aurora_locus.moderation import labels
from aurora_locus.moderation.roles import AuditContext, OperatorRole, PdsOperator
from groundwork.clock import DAY
from groundwork.errors import InvalidInput
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.moderation.decisions import write_note
from tests.aurora_locus.moderation.operators import entries

QUERY = "com.atproto.label.queryLabels"
DEED = AuditContext(PdsOperator("mo", OperatorRole.MODERATOR), "because")


async def put(deployment: Deployment, subject: str, value: str, **more: Any) -> None:
    await labels.put(deployment.pds.labels, DEED, subject, value, **more)


async def asked(deployment: Deployment, *patterns: str, **more: Any) -> list[tuple[str, str]]:
    answer = await deployment.stranger.get(QUERY, uriPatterns=list(patterns), **more)
    assert answer.status_code == 200, answer.text
    return [(label["uri"], label["val"]) for label in answer.json()["labels"]]


async def test_label_is_signed_with_the_key_in_the_servers_document(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    written = await write_note(ana)
    await put(deployment, written["uri"], "spam", cid=written["cid"], expires_at=deployment.clock.now() + DAY)
    (label,) = (await deployment.stranger.get(QUERY, uriPatterns=written["uri"])).json()["labels"]
    signature = base64.b64decode(label.pop("sig")["$bytes"] + "==")
    assert (label["src"], label["ver"], label["cid"]) == (deployment.settings.did, 1, written["cid"])
    document = (await deployment.http.get("/.well-known/did.json")).json()
    (method,) = document["verificationMethod"]
    assert method["id"] == f"{deployment.settings.did}#atproto_label"
    assert parse_multikey(method["publicKeyMultibase"]).verify(cbor.encode(label), signature)
    (entry,) = await entries(deployment)
    assert (entry.subject, entry.after) == (written["uri"], {"value": "spam", "negated": False, "cid": written["cid"]})


async def test_newest_label_counts_and_a_negation_withdraws(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    for did in (ana.did, ben.did):
        await put(deployment, did, "spam")
        await put(deployment, did, "rude")
    await put(deployment, ana.did, "spam", negate=True)
    await put(deployment, ben.did, "spam")
    assert await asked(deployment, ana.did, ben.did) == [(ana.did, "rude"), (ben.did, "rude"), (ben.did, "spam")]
    assert await asked(deployment, "did:plc:*") == [(ana.did, "rude"), (ben.did, "rude"), (ben.did, "spam")]
    assert await asked(deployment, "*", sources=["did:web:other.example"]) == []
    assert await asked(deployment, ana.did.upper() + "*") == []
    assert await asked(deployment, "did:plc:_*") == []
    first = (await deployment.stranger.get(QUERY, uriPatterns="*", limit=2)).json()
    rest = await asked(deployment, "*", cursor=first["cursor"])
    assert [label["val"] for label in first["labels"]] == ["rude", "rude"]
    assert rest == [(ben.did, "spam")]


async def test_label_expires(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await put(deployment, ana.did, "spam", expires_at=deployment.clock.now() + DAY)
    assert await asked(deployment, ana.did) == [(ana.did, "spam")]
    deployment.clock.turn(DAY)
    assert await asked(deployment, ana.did) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_invalid_labels_and_queries_are_refused(deployment: Deployment) -> None:
    for subject, value in (("ana.test", "spam"), ("at://ana.test/org.example.note/x", "spam"), ("at://did:plc:x", "spam"), ("did:web:a.example", ""), ("did:web:a.example", "x" * 129)):  # fmt: skip
        with pytest.raises(InvalidInput):
            await put(deployment, subject, value)
    with pytest.raises(InvalidInput):
        await put(deployment, "did:web:a.example", "spam", expires_at=deployment.clock.now())
    for wrong in ({"uriPatterns": "a*b"}, {"uriPatterns": "*", "cursor": "x"}, {}, {"uriPatterns": ["x"] * 101}):
        assert (await deployment.stranger.get(QUERY, **wrong)).status_code == 400
    assert await deployment.count("labels") == 0


async def test_labels_are_streamed_from_the_beginning_and_live(deployment: Deployment) -> None:
    await put(deployment, "did:web:a.example", "one")
    url = f"{deployment.url.replace('http', 'ws')}/xrpc/com.atproto.label.subscribeLabels"
    async with connect(f"{url}?cursor=0", proxy=None) as stream, connect(url, proxy=None) as live:
        first = frames.decode(await stream.recv())
        assert isinstance(first, frames.Frame)
        assert first.payload["seq"] == 1
        await put(deployment, "did:web:a.example", "one", negate=True)
        for listener in (stream, live):
            frame = frames.decode(await listener.recv())
            assert isinstance(frame, frames.Frame)
            (label,) = frame.payload["labels"]
            assert (frame.payload["seq"], label["val"], label["neg"]) == (2, "one", True)
            assert isinstance(label["sig"], bytes)
    for cursor, error in (("3", "FutureCursor"), ("x", "InvalidRequest")):
        async with connect(f"{url}?cursor={cursor}", proxy=None) as stream:
            refused = frames.decode(await stream.recv())
            assert isinstance(refused, frames.ErrorFrame)
            assert refused.error == error
