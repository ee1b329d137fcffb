"""Labels of the host: signed, given out to anybody, taken back by a negation."""

import base64
from typing import Any

import pytest
from websockets.asyncio.client import connect

from at_protocol.crypto.did_key import parse_multikey
from at_protocol.data import cbor
from at_protocol.sync import frames
from aurora_locus.moderation import labels
from aurora_locus.moderation.roles import Deed, OperatorRole, PdsOperator
from groundwork.clock import DAY
from groundwork.errors import InvalidInput
from tests.aurora_locus.moderation.deciding import write_note
from tests.aurora_locus.moderation.operators import entries
from tests.aurora_locus.town import Town

QUERY = "com.atproto.label.queryLabels"
DEED = Deed(PdsOperator("mo", OperatorRole.MODERATOR), "because")


async def put(town: Town, subject: str, value: str, **more: Any) -> None:
    await labels.put(town.pds.labels, DEED, subject, value, **more)


async def asked(town: Town, *patterns: str, **more: Any) -> list[tuple[str, str]]:
    answer = await town.stranger.get(QUERY, uriPatterns=list(patterns), **more)
    assert answer.status_code == 200, answer.text
    return [(label["uri"], label["val"]) for label in answer.json()["labels"]]


async def test_label_is_signed_with_the_key_in_the_servers_document(town: Town) -> None:
    ana = await town.sign_up("ana")
    written = await write_note(ana)
    await put(town, written["uri"], "spam", cid=written["cid"], expires_at=town.clock.now() + DAY)
    (label,) = (await town.stranger.get(QUERY, uriPatterns=written["uri"])).json()["labels"]
    signature = base64.b64decode(label.pop("sig")["$bytes"] + "==")
    assert (label["src"], label["ver"], label["cid"]) == (town.settings.did, 1, written["cid"])
    document = (await town.http.get("/.well-known/did.json")).json()
    (method,) = document["verificationMethod"]
    assert method["id"] == f"{town.settings.did}#atproto_label"
    assert parse_multikey(method["publicKeyMultibase"]).verify(cbor.encode(label), signature)
    (entry,) = await entries(town)
    assert (entry.subject, entry.after) == (written["uri"], {"value": "spam", "negated": False, "cid": written["cid"]})


async def test_newest_counts_and_a_negation_takes_back(town: Town) -> None:
    ana, ben = await town.sign_up("ana"), await town.sign_up("ben")
    for did in (ana.did, ben.did):
        await put(town, did, "spam")
        await put(town, did, "rude")
    await put(town, ana.did, "spam", negate=True)
    await put(town, ben.did, "spam")
    assert await asked(town, ana.did, ben.did) == [(ana.did, "rude"), (ben.did, "rude"), (ben.did, "spam")]
    assert await asked(town, "did:plc:*") == [(ana.did, "rude"), (ben.did, "rude"), (ben.did, "spam")]
    assert await asked(town, "*", sources=["did:web:other.example"]) == []
    assert await asked(town, ana.did.upper() + "*") == []
    assert await asked(town, "did:plc:_*") == []
    first = (await town.stranger.get(QUERY, uriPatterns="*", limit=2)).json()
    rest = await asked(town, "*", cursor=first["cursor"])
    assert [label["val"] for label in first["labels"]] == ["rude", "rude"]
    assert rest == [(ben.did, "spam")]


async def test_label_expires(town: Town) -> None:
    ana = await town.sign_up("ana")
    await put(town, ana.did, "spam", expires_at=town.clock.now() + DAY)
    assert await asked(town, ana.did) == [(ana.did, "spam")]
    town.clock.turn(DAY)
    assert await asked(town, ana.did) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_what_is_no_label_and_no_question(town: Town) -> None:
    for subject, value in (("ana.test", "spam"), ("at://ana.test/org.example.note/x", "spam"), ("at://did:plc:x", "spam"), ("did:web:a.example", ""), ("did:web:a.example", "x" * 129)):  # fmt: skip
        with pytest.raises(InvalidInput):
            await put(town, subject, value)
    with pytest.raises(InvalidInput):
        await put(town, "did:web:a.example", "spam", expires_at=town.clock.now())
    for wrong in ({"uriPatterns": "a*b"}, {"uriPatterns": "*", "cursor": "x"}, {}, {"uriPatterns": ["x"] * 101}):
        assert (await town.stranger.get(QUERY, **wrong)).status_code == 400
    assert await town.count("labels") == 0


async def test_labels_are_streamed_from_the_beginning_and_live(town: Town) -> None:
    await put(town, "did:web:a.example", "one")
    url = f"{town.url.replace('http', 'ws')}/xrpc/com.atproto.label.subscribeLabels"
    async with connect(f"{url}?cursor=0", proxy=None) as stream, connect(url, proxy=None) as live:
        first = frames.decode(await stream.recv())
        assert isinstance(first, frames.Frame)
        assert first.payload["seq"] == 1
        await put(town, "did:web:a.example", "one", negate=True)
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
