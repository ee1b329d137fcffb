"""One record to one repository: the calls, and what their answers mean. No database here."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri
from groundwork.errors import Conflict, NotFound, Refused, RemoteFailed

_APPLY = "com.atproto.repo.applyWrites"


@dataclass(frozen=True, slots=True)
class Current:
    """What the PDS holds under a key now."""

    record: dict[str, Value]
    cid: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """The PDS's answer to a write. ``rev`` is None when the write made no commit, because nothing changed."""

    cid: str
    rev: str | None


async def get_record(client: XrpcClient, uri: AtUri) -> Current | None:
    """The record as the PDS holds it; None where it holds none. Raises Refused when it cannot be written back whole."""
    try:
        answer = await client.query(
            "com.atproto.repo.getRecord",
            {"repo": uri.authority, "collection": str(uri.collection), "rkey": str(uri.rkey)},
        )
    except NotFound:
        return None
    try:
        record = json_form.from_json(answer.get("value"))
    except Malformed as wrong:
        raise Refused(f"The record in the repository cannot be edited without loss: {wrong.why}.") from wrong
    cid = answer.get("cid")
    if not isinstance(record, dict) or not isinstance(cid, str):
        raise RemoteFailed("The PDS answered without a record or without its CID.")
    body = cbor.encode(record)
    if str(Cid.for_cbor(body)) != cid:
        # What we would write back is not what is there: better not to touch it.
        raise Refused("The record in the repository does not agree with its CID.")
    return Current(record, cid, body)


async def put_record(client: XrpcClient, uri: AtUri, record: dict[str, Value], *, swap: str | None) -> Stored:
    """Write a record in place of the one with CID ``swap``; None: there must be none.

    Raises Conflict (``InvalidSwap``) when something else is there.
    """
    answer = await client.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": uri.authority,
            "collection": str(uri.collection),
            "rkey": str(uri.rkey),
            "record": json_form.to_json(record),
            "swapRecord": swap,
        },
    )
    return _stored(answer)


@dataclass(frozen=True, slots=True)
class Applied:
    """The PDS's answer to several creates: ``cids`` in their order, ``rev`` of the one commit."""

    cids: tuple[str | None, ...]
    rev: str | None


async def apply_creates(client: XrpcClient, did: str, creates: Sequence[tuple[AtUri, dict[str, Value]]]) -> Applied:
    """Create records in one commit, or none of them. A key that is taken fails all."""
    writes: list[dict[str, object]] = [
        {
            "$type": f"{_APPLY}#create",
            "collection": str(uri.collection),
            "rkey": str(uri.rkey),
            "value": json_form.to_json(record),
        }
        for uri, record in creates
    ]
    answer = await client.procedure(_APPLY, {"repo": did, "writes": writes})
    results = answer.get("results")
    said = results if isinstance(results, list) and len(results) == len(writes) else []
    found = [one.get("cid") if isinstance(one, dict) else None for one in said] or [None] * len(creates)
    return Applied(tuple(cid if isinstance(cid, str) else None for cid in found), _rev(answer))


async def delete_record(client: XrpcClient, uri: AtUri, *, expected: str | None) -> str | None:
    """Delete a record, whatever it says; the rev of the commit, None when there was nothing to delete.

    ``expected``: the CID that it most likely has. Each call names one: a delete that arrives late must not meet what was
    written in its place.
    """
    if expected is None:
        current = await get_record(client, uri)
        expected = None if current is None else current.cid
    try:
        return await _delete(client, uri, expected)
    except Conflict:
        current = await get_record(client, uri)
        return None if current is None else await _delete(client, uri, current.cid)


async def delete_version(client: XrpcClient, uri: AtUri, cid: str) -> str | None:
    """Delete a record only where it is this version; the rev of the commit. Raises Conflict where it is another one, or gone."""
    return await _delete(client, uri, cid)


async def _delete(client: XrpcClient, uri: AtUri, swap: str | None) -> str | None:
    wanted = {} if swap is None else {"swapRecord": swap}
    answer = await client.procedure(
        "com.atproto.repo.deleteRecord",
        {"repo": uri.authority, "collection": str(uri.collection), "rkey": str(uri.rkey), **wanted},
    )
    return _rev(answer)


def _stored(answer: dict[str, object]) -> Stored:
    cid = answer.get("cid")
    if not isinstance(cid, str):
        raise RemoteFailed("The PDS did not say what it stored.")
    return Stored(cid, _rev(answer))


def _rev(answer: dict[str, object]) -> str | None:
    commit = answer.get("commit")
    rev = commit.get("rev") if isinstance(commit, dict) else None
    return rev if isinstance(rev, str) else None
