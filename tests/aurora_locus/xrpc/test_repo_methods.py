"""com.atproto.repo over real sockets: requests and responses."""

import asyncio
from typing import Any

import httpx
import pytest

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.xrpc.conftest import Client
from tests.aurora_locus.xrpc.refusals import refusal_of

REPO = "com.atproto.repo"
RSVP = "community.lexicon.calendar.rsvp"


def record(did: str, **more: Any) -> dict[str, Any]:
    return {"repo": did, "collection": NOTE, "record": {"text": "hello"}, **more}


async def test_created_record_is_read_back(as_ada: Client, stranger: Client, ada: HostedRepository):
    made = (await as_ada.post(f"{REPO}.createRecord", record(ada.did))).json()
    assert made["uri"].startswith(f"at://{ada.did}/{NOTE}/")
    assert made["validationStatus"] == "unknown"
    rkey = made["uri"].rsplit("/", 1)[1]
    read = (await stranger.get(f"{REPO}.getRecord", repo=ada.did, collection=NOTE, rkey=rkey)).json()
    assert read == {"uri": made["uri"], "cid": made["cid"], "value": {"$type": NOTE, "text": "hello"}}
    assert made["cid"] == str(Cid.for_cbor(cbor.encode(read["value"])))
    latest = (await stranger.get("com.atproto.sync.getLatestCommit", did=ada.did)).json()
    assert made["commit"] == latest


async def test_handle_names_a_repository(as_ada: Client, stranger: Client):
    made = await as_ada.post(f"{REPO}.createRecord", record("ada.test", rkey="one"))
    assert made.status_code == 200
    read = await stranger.get(f"{REPO}.getRecord", repo="ADA.test", collection=NOTE, rkey="one")
    assert read.json()["value"]["text"] == "hello"


async def test_offensive_record_keys_are_refused(as_ada: Client, ada: HostedRepository):
    """As in the reference server, whatever their separators. A record that has such a key can be deleted."""
    for key in ("tr4nny", "t.r-a_nny"):
        place = {"repo": ada.did, "collection": NOTE, "rkey": key}
        write = {"$type": f"{REPO}.applyWrites#create", "collection": NOTE, "rkey": key, "value": {"text": "hello"}}
        refusal_of(await as_ada.post(f"{REPO}.createRecord", record(ada.did, rkey=key)), "InvalidRequest")
        refusal_of(await as_ada.post(f"{REPO}.putRecord", record(ada.did, rkey=key)), "InvalidRequest")
        refusal_of(await as_ada.post(f"{REPO}.applyWrites", {"repo": ada.did, "writes": [write]}), "InvalidRequest")
        assert (await as_ada.post(f"{REPO}.deleteRecord", place)).status_code == 200
    assert (await as_ada.post(f"{REPO}.createRecord", record(ada.did, rkey="granny"))).status_code == 200


async def test_links_bytes_and_unknown_fields_survive(as_ada: Client, stranger: Client, ada: HostedRepository):
    value = {
        "$type": NOTE,
        "$foo": None,
        "link": {"$link": "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"},
        "bytes": {"$bytes": "aGk"},
        "when": "2024-01-01T00:00:00.0000000000000Z",
        "list": [1, -5, None, True, {"x": []}],
    }
    await as_ada.post(f"{REPO}.createRecord", {**record(ada.did, rkey="odd"), "record": value})
    read = (await stranger.get(f"{REPO}.getRecord", repo=ada.did, collection=NOTE, rkey="odd")).json()
    assert read["value"] == value
    assert read["cid"] == str(Cid.for_cbor(cbor.encode(json_form.from_json(value))))


async def test_integral_float_is_stored_as_integer(as_ada: Client, stranger: Client, ada: HostedRepository):
    body = f'{{"repo":"{ada.did}","collection":"{NOTE}","rkey":"f","record":{{"a":1.0}}}}'
    headers = {**as_ada.headers, "content-type": "application/json"}
    await as_ada.http.post(f"/xrpc/{REPO}.createRecord", content=body, headers=headers)
    read = await stranger.get(f"{REPO}.getRecord", repo=ada.did, collection=NOTE, rkey="f")
    assert '"a":1,' in read.text


@pytest.mark.parametrize(
    "text", ['{"a":1.5}', '{"a":NaN}', '{"a":1e400}', '{"a":1,"a":2}', '{"a":"\\ud800"}', '{"a":9223372036854775808}',
             '{"a":{"$link":"nonsense"}}', '{"a":{"$bytes":"***"}}', '"text"', '{"$type":"org.example.other"}',
             '{"$type":7}', "[" * 100 + "]" * 100]
)  # fmt: skip
async def test_value_that_is_not_a_record_is_refused(as_ada: Client, ada: HostedRepository, text: str):
    body = f'{{"repo":"{ada.did}","collection":"{NOTE}","rkey":"f","validate":false,"record":{text}}}'
    headers = {**as_ada.headers, "content-type": "application/json; charset=utf-8"}
    answer = await as_ada.http.post(f"/xrpc/{REPO}.createRecord", content=body, headers=headers)
    refusal_of(answer, "InvalidRequest")


async def test_record_of_more_than_a_million_bytes_is_refused(as_ada: Client, ada: HostedRepository):
    body = {**record(ada.did), "record": {"text": "x" * 1_000_001}}
    refusal_of(await as_ada.post(f"{REPO}.createRecord", body), "PayloadTooLarge", 413)


@pytest.mark.parametrize(
    ("validate", "value", "status"),
    [
        (True, {"status": f"{RSVP}#going"}, "valid"),
        (None, {"status": f"{RSVP}#going"}, "valid"),
        (False, {"status": f"{RSVP}#going"}, None),
        (False, {"nonsense": 1}, None),
        (True, {"nonsense": 1}, "refused"),
        (None, {"nonsense": 1}, "refused"),
    ],
)
async def test_validation_modes(
    as_ada: Client, ada: HostedRepository, validate: bool | None, value: Any, status: str | None
):
    subject = {"uri": f"at://{ada.did}/org.example.x/1", "cid": str(Cid.for_cbor(b"x"))}
    body = {
        "repo": ada.did,
        "collection": RSVP,
        "record": {**value, "subject": subject, "createdAt": "2026-01-01T00:00:00Z"},
        **({} if validate is None else {"validate": validate}),
    }
    answer = await as_ada.post(f"{REPO}.createRecord", body)
    if status == "refused":
        assert "status" in refusal_of(answer, "InvalidRequest")
    else:
        assert answer.json().get("validationStatus") == status


async def test_required_validation_of_an_unknown_type_is_refused(as_ada: Client, ada: HostedRepository):
    refusal_of(await as_ada.post(f"{REPO}.createRecord", record(ada.did, validate=True)), "InvalidRequest")


async def test_rsvp_key_must_be_a_tid_only_if_validation_is_required(as_ada: Client, ada: HostedRepository):
    """An RSVP may have a key that is not a TID unless validation is required, because most apps write such keys."""
    subject = {"uri": f"at://{ada.did}/org.example.x/1", "cid": str(Cid.for_cbor(b"x"))}
    value = {"status": f"{RSVP}#going", "subject": subject, "createdAt": "2026-01-01T00:00:00Z"}
    body = {"repo": ada.did, "collection": RSVP, "rkey": "self-made", "record": value}
    assert (await as_ada.post(f"{REPO}.createRecord", body)).json()["validationStatus"] == "valid"
    body["rkey"] = "another"
    refusal_of(await as_ada.post(f"{REPO}.createRecord", {**body, "validate": True}), "InvalidRequest")


@pytest.mark.parametrize("rkey", [".", "..", "a/b", "x" * 513, ""])
async def test_bad_record_keys_are_refused(as_ada: Client, ada: HostedRepository, rkey: str):
    refusal_of(await as_ada.post(f"{REPO}.putRecord", record(ada.did, rkey=rkey)), "InvalidRequest")


async def test_writing_to_another_repository_is_refused(as_ben: Client, stranger: Client, ada: HostedRepository):
    for method in ("createRecord", "putRecord", "deleteRecord"):
        refusal_of(await as_ben.post(f"{REPO}.{method}", record(ada.did, rkey="x")), "Forbidden", 403)
    refusal_of(await as_ben.post(f"{REPO}.applyWrites", {"repo": ada.did, "writes": []}), "Forbidden", 403)
    refusal_of(await stranger.post(f"{REPO}.createRecord", record(ada.did)), "AuthMissing", 401)


async def test_swap_matrix_over_the_wire(as_ada: Client, ada: HostedRepository):
    put = f"{REPO}.putRecord"
    first = (await as_ada.post(put, record(ada.did, rkey="a", swapRecord=None))).json()
    refusal_of(await as_ada.post(put, record(ada.did, rkey="a", swapRecord=None)), "InvalidSwap")
    other = str(Cid.for_cbor(b"other"))
    refusal_of(await as_ada.post(put, record(ada.did, rkey="a", swapRecord=other)), "InvalidSwap")
    refusal_of(await as_ada.post(put, record(ada.did, rkey="b", swapCommit=other)), "InvalidSwap")
    same = (await as_ada.post(put, record(ada.did, rkey="a", swapRecord=first["cid"]))).json()
    assert same["cid"] == first["cid"]
    assert "commit" not in same
    deleted = await as_ada.post(f"{REPO}.deleteRecord", record(ada.did, rkey="a", swapRecord=first["cid"]))
    assert deleted.json()["commit"]["rev"] > first["commit"]["rev"]
    again = await as_ada.post(f"{REPO}.deleteRecord", {"repo": ada.did, "collection": NOTE, "rkey": "a"})
    assert again.json() == {}


async def test_apply_writes_answers_in_order(as_ada: Client, ada: HostedRepository):
    kind = f"{REPO}.applyWrites"
    await as_ada.post(f"{REPO}.createRecord", record(ada.did, rkey="old"))
    await as_ada.post(f"{REPO}.createRecord", record(ada.did, rkey="gone"))
    writes = [
        {"$type": f"{kind}#create", "collection": NOTE, "rkey": "new", "value": {"n": 1}},
        {"$type": f"{kind}#update", "collection": NOTE, "rkey": "old", "value": {"n": 2}},
        {"$type": f"{kind}#delete", "collection": NOTE, "rkey": "gone"},
    ]
    answer = (await as_ada.post(kind, {"repo": ada.did, "writes": writes})).json()
    assert [result["$type"].rpartition("#")[2] for result in answer["results"]] == [
        "createResult",
        "updateResult",
        "deleteResult",
    ]
    assert answer["results"][0]["uri"] == f"at://{ada.did}/{NOTE}/new"
    assert "rev" in answer["commit"]


async def test_apply_writes_names_the_invalid_write(as_ada: Client, ada: HostedRepository):
    kind = f"{REPO}.applyWrites"
    good = {"$type": f"{kind}#create", "collection": NOTE, "rkey": "good", "value": {}}
    bad = {"$type": f"{kind}#create", "collection": NOTE, "rkey": "bad", "value": {"$type": "org.example.other"}}
    assert "Write 1" in refusal_of(await as_ada.post(kind, {"repo": ada.did, "writes": [good, bad]}), "InvalidRequest")
    many = [{**good, "rkey": f"r{number}"} for number in range(201)]
    refusal_of(await as_ada.post(kind, {"repo": ada.did, "writes": many}), "InvalidRequest")


async def test_records_are_listed_in_pages_both_ways(as_ada: Client, stranger: Client, ada: HostedRepository):
    await ada.write(*(ada.prepare(f"k{number:02}", {"n": number}) for number in range(25)))
    for reverse in ("false", "true"):
        seen: list[str] = []
        parameters: dict[str, Any] = {"repo": ada.did, "collection": NOTE, "limit": 10, "reverse": reverse}
        while True:
            page = (await stranger.get(f"{REPO}.listRecords", **parameters)).json()
            seen += [item["uri"].rsplit("/", 1)[1] for item in page["records"]]
            if "cursor" not in page:
                break
            parameters["cursor"] = page["cursor"]
        assert seen == sorted(seen, reverse=reverse == "false")
        assert len(seen) == 25


@pytest.mark.parametrize(
    "more", [{"limit": 0}, {"limit": 101}, {"limit": "abc"}, {"limit": [1, 2]}, {"reverse": "yes"}, {"cursor": "a/b"}]
)
async def test_bad_parameters_are_refused(stranger: Client, ada: HostedRepository, more: dict[str, Any]):
    refusal_of(
        await stranger.get(f"{REPO}.listRecords", **{"repo": ada.did, "collection": NOTE, **more}), "InvalidRequest"
    )


async def test_absent_record_and_absent_repository(stranger: Client, ada: HostedRepository):
    asked = {"collection": NOTE, "rkey": "none"}
    refusal_of(await stranger.get(f"{REPO}.getRecord", repo=ada.did, **asked), "RecordNotFound")
    refusal_of(await stranger.get(f"{REPO}.getRecord", repo="did:plc:" + "a" * 24, **asked), "RepoNotFound")
    refusal_of(await stranger.get(f"{REPO}.getRecord", repo="nobody.test", **asked), "RepoNotFound")


async def test_other_version_of_a_record_is_not_found(as_ada: Client, stranger: Client, ada: HostedRepository):
    made = (await as_ada.post(f"{REPO}.createRecord", record(ada.did, rkey="a"))).json()
    asked = {"repo": ada.did, "collection": NOTE, "rkey": "a"}
    assert (await stranger.get(f"{REPO}.getRecord", **asked, cid=made["cid"])).status_code == 200
    refusal_of(await stranger.get(f"{REPO}.getRecord", **asked, cid=str(Cid.for_cbor(b"x"))), "RecordNotFound")


async def test_repository_is_described(as_ada: Client, stranger: Client, ada: HostedRepository):
    await ada.create("one")
    described = (await stranger.get(f"{REPO}.describeRepo", repo="ada.test")).json()
    assert described["collections"] == [NOTE]
    assert (described["handle"], described["did"], described["handleIsCorrect"]) == ("ada.test", ada.did, True)
    assert described["didDoc"]["id"] == ada.did


async def test_response_to_the_owner_names_the_rev(as_ada: Client, stranger: Client, ada: HostedRepository):
    await ada.create("one")
    asked = {"repo": ada.did, "collection": NOTE, "rkey": "one"}
    head = await ada.repositories.head(ada.did)
    assert (await as_ada.get(f"{REPO}.getRecord", **asked)).headers["atproto-repo-rev"] == head.rev
    assert "atproto-repo-rev" not in (await stranger.get(f"{REPO}.getRecord", **asked)).headers


async def test_two_concurrent_creations_both_succeed(as_ada: Client, ada: HostedRepository):
    answers = await asyncio.gather(*(as_ada.post(f"{REPO}.createRecord", record(ada.did)) for _ in range(2)))
    revs = [answer.json()["commit"]["rev"] for answer in answers]
    assert len(set(revs)) == 2


async def test_verbs_paths_and_content_types(
    http: httpx.AsyncClient, as_ada: Client, stranger: Client, ada: HostedRepository
):
    refusal_of(await stranger.post(f"{REPO}.getRecord"), "InvalidRequest")
    refusal_of(await as_ada.get(f"{REPO}.createRecord"), "InvalidRequest")
    refusal_of(await http.put(f"/xrpc/{REPO}.createRecord"), "InvalidRequest")
    refusal_of(await http.get("/xrpc/not-an-nsid"), "InvalidRequest")
    refusal_of(await http.get("/xrpc/a/b"), "InvalidRequest")
    refusal_of(await http.get("/xrpc/com.example.unknown"), "MethodNotImplemented", 501)
    headers = {**as_ada.headers, "content-type": "text/plain"}
    refusal_of(await http.post(f"/xrpc/{REPO}.createRecord", content="{}", headers=headers), "InvalidRequest")
    refusal_of(await http.post(f"/xrpc/{REPO}.createRecord", headers=as_ada.headers), "InvalidRequest")
    asked = {"repo": ada.did, "collection": NOTE}
    with_body = await http.request("GET", f"/xrpc/{REPO}.listRecords", params=asked, content=b"x")
    refusal_of(with_body, "InvalidRequest")
    head = await http.head(f"/xrpc/{REPO}.listRecords", params=asked)
    assert (head.status_code, head.content) == (200, b"")
    assert (await http.get(f"/xrpc/{REPO}.listRecords/", params=asked)).status_code == 200


async def test_any_origin_may_call(http: httpx.AsyncClient, stranger: Client, ada: HostedRepository):
    asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
    # CORS headers are sent even for unknown methods, so that a script can read that there is no such method.
    for nsid in (f"{REPO}.createRecord", "com.example.unknown"):
        preflight = await http.options(f"/xrpc/{nsid}", headers=asks)
        assert preflight.is_success
        assert preflight.headers["access-control-allow-origin"] == "*"
    answer = await stranger.get(f"{REPO}.listRecords", repo=ada.did, collection=NOTE)
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_bug_reveals_nothing(served: str, as_ada: Client, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch):
    """A bug reveals nothing: a damaged repository is answered with a request id, without SQL or a stack trace."""
    await ada.create("one")
    await ada.repositories.db.write(lambda w: w.execute("delete from blocks where did = :did", did=ada.did))
    ada.repositories.nodes.clear()
    answer = await as_ada.post(f"{REPO}.createRecord", record(ada.did))
    assert (answer.status_code, answer.json()["error"]) == (500, "InternalServerError")
    assert "block" not in answer.text


async def test_large_responses_are_compressed_if_accepted(
    http: httpx.AsyncClient, as_ada: Client, ada: HostedRepository
):
    """Large responses are compressed for clients that accept it; small ones and those for other clients are not. A
    ``Vary`` header tells caches so.
    """
    for number in range(20):
        await as_ada.post(f"{REPO}.createRecord", record(ada.did, rkey=f"r{number}", text="x" * 200))
    url = f"/xrpc/{REPO}.listRecords?repo={ada.did}&collection={NOTE}&limit="
    folded = await http.get(url + "20", headers={"accept-encoding": "br, gzip"})
    plain = await http.get(url + "20", headers={"accept-encoding": "identity"})
    small = await http.get(url + "1", headers={"accept-encoding": "gzip"})
    assert folded.json() == plain.json()
    assert (folded.headers["content-encoding"], folded.headers["vary"]) == ("gzip", "accept-encoding")
    assert int(folded.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert plain.headers["vary"] == "accept-encoding"
    assert not {"content-encoding", "vary"} & small.headers.keys()
