"""Apply several writes in one commit: all of them or none."""

from collections.abc import Mapping, Sequence
from typing import Any

from at_protocol.lexicon.catalog import Catalog
from at_protocol.oauth.permissions import RepoAction
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.accounts.limits import CREATION_POINTS, DELETION_POINTS, UPDATE_POINTS, WRITES, WRITES_DAILY
from aurora_locus.repository.commit import MAX_WRITES, commit
from aurora_locus.repository.model import PreparedWrite, WriteAction
from aurora_locus.repository.prepare import check_blobs, prepare_deletion, prepare_record
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_repo.type_resolution import catalogs_for
from aurora_locus.xrpc.com_atproto_repo.write_responses import commit_meta, optional_cid, result
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import WRITE_BODY_BYTES, XrpcCall, procedure
from aurora_locus.xrpc.permissions import require_repo_action
from aurora_locus.xrpc.target import own_repository
from groundwork.errors import InvalidInput

NSID = "com.atproto.repo.applyWrites"

_ACTIONS = {
    f"{NSID}#create": WriteAction.CREATE,
    f"{NSID}#update": WriteAction.UPDATE,
    f"{NSID}#delete": WriteAction.DELETE,
}
_POINTS = {
    WriteAction.CREATE: CREATION_POINTS,
    WriteAction.UPDATE: UPDATE_POINTS,
    WriteAction.DELETE: DELETION_POINTS,
}


async def apply_writes(call: XrpcCall) -> dict[str, Any]:
    """Apply several writes in one commit. Return the commit, if there was one, and a result for each write in order.

    If any write is invalid, none is applied.
    """
    body = call.body
    did = await own_repository(call, body["repo"])
    if len(body["writes"]) > MAX_WRITES:
        raise InvalidInput("writes", f"{len(body['writes'])} writes; one commit has at most {MAX_WRITES}.")
    for item in body["writes"]:
        require_repo_action(call.caller, item["collection"], RepoAction(_ACTIONS[item["$type"]].value))
    catalogs = await catalogs_for(
        call, {write["collection"] for write in body["writes"] if not write["$type"].endswith("#delete")}
    )
    fresh_keys = [call.host.repositories.fresh_record_key() for _ in body["writes"]]
    writes = await call.compute(_prepare_all, call, catalogs, fresh_keys)
    await check_blobs(call.host.db, did, writes)
    committed = await commit(call.host.repositories, did, writes, swap_commit=optional_cid(body, "swapCommit"))
    return {**commit_meta(committed), "results": [_result(did, write) for write in writes]}


def _points(call: XrpcCall) -> int:
    return sum(_POINTS[_ACTIONS[write["$type"]]] for write in call.body["writes"])


def _prepare_all(call: XrpcCall, catalogs: Mapping[Nsid, Catalog], fresh_keys: Sequence[Tid]) -> list[PreparedWrite]:
    items = zip(call.body["writes"], fresh_keys, strict=True)
    return [_prepare(call, catalogs, index, item, fresh_key) for index, (item, fresh_key) in enumerate(items)]


def _prepare(
    call: XrpcCall, catalogs: Mapping[Nsid, Catalog], index: int, item: dict[str, Any], fresh_key: Tid
) -> PreparedWrite:
    action = _ACTIONS[item["$type"]]
    collection = Nsid(item["collection"])
    try:
        if action is WriteAction.DELETE:
            return prepare_deletion(collection, RecordKey(item["rkey"]))
        return prepare_record(
            catalogs[collection],
            action,
            collection,
            RecordKey(item["rkey"]) if "rkey" in item else None,
            item["value"],
            validate=call.body.get("validate"),
            fresh_key=fresh_key,
        )
    except InvalidInput as error:
        raise InvalidInput(f"writes/{index}", f"Write {index}: {error.why}", name=error.name) from None


def _result(did: Did, write: PreparedWrite) -> dict[str, Any]:
    if write.action is WriteAction.DELETE:
        return {"$type": f"{NSID}#deleteResult"}
    return {"$type": f"{NSID}#{write.action.value}Result", **result(did, write)}


METHOD = procedure(
    NSID,
    apply_writes,
    AccessLevel.ACCESS,
    max_body_bytes=WRITE_BODY_BYTES,
    charges=per_account(WRITES, WRITES_DAILY),
    points=_points,
)
