"""Write a new record with a key that the caller chooses or the server generates."""

from dataclasses import replace
from typing import Any

from at_protocol.oauth.permissions import RepoAction
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.accounts.limits import CREATION_POINTS, WRITES, WRITES_DAILY
from aurora_locus.repository.commit import commit
from aurora_locus.repository.model import WriteAction
from aurora_locus.repository.prepare import check_blobs, prepare_record
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_repo.type_resolution import catalogs_for
from aurora_locus.xrpc.com_atproto_repo.write_responses import optional_cid, write_response
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import WRITE_BODY_BYTES, XrpcCall, procedure
from aurora_locus.xrpc.permissions import require_repo_action
from aurora_locus.xrpc.target import own_repository


async def create_record(call: XrpcCall) -> dict[str, Any]:
    """Write a new record, in place of earlier ones with the same subject (``duplicates``). Return uri, cid, commit and
    validation status.

    Raises Conflict (``InvalidSwap``) if the repository has changed.
    """
    body = call.body
    did = await own_repository(call, body["repo"])
    require_repo_action(call.caller, body["collection"], RepoAction.CREATE)
    repositories, collection = call.host.repositories, Nsid(body["collection"])
    catalogs = await catalogs_for(call, [collection])
    write = await call.compute(
        prepare_record,
        catalogs[collection],
        WriteAction.CREATE,
        collection,
        RecordKey(body["rkey"]) if "rkey" in body else None,
        body["record"],
        validate=body.get("validate"),
        fresh_key=repositories.fresh_record_key(),
    )
    write = replace(write, replaces_others=body.get("validate") is not False)
    await check_blobs(call.host.db, did, [write])
    committed = await commit(repositories, did, [write], swap_commit=optional_cid(body, "swapCommit"))
    return write_response(did, write, committed)


METHOD = procedure(
    "com.atproto.repo.createRecord",
    create_record,
    AccessLevel.ACCESS,
    max_body_bytes=WRITE_BODY_BYTES,
    charges=per_account(WRITES, WRITES_DAILY),
    points=lambda _: CREATION_POINTS,
)
