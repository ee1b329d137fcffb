"""Write a record with a given key, whether or not it exists. Identical content makes no commit."""

from typing import Any

from at_protocol.oauth.permissions import RepoAction
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.accounts.limits import UPDATE_POINTS, WRITES, WRITES_DAILY
from aurora_locus.repository.commit import commit
from aurora_locus.repository.model import WriteAction
from aurora_locus.repository.prepare import check_blobs, prepare_record
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_repo.type_resolution import catalogs_for
from aurora_locus.xrpc.com_atproto_repo.write_responses import optional_cid, swap_record, write_response
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import WRITE_BODY_BYTES, XrpcCall, procedure
from aurora_locus.xrpc.permissions import require_repo_action
from aurora_locus.xrpc.target import own_repository


async def put_record(call: XrpcCall) -> dict[str, Any]:
    """Create or replace a record. Return uri, cid, the commit if there was one, and validation status.

    Raises Conflict (``InvalidSwap``) if the repository or the record has changed.
    """
    body = call.body
    did = await own_repository(call, body["repo"])
    # Both are required, because whether the record is created or updated is known only later.
    require_repo_action(call.caller, body["collection"], RepoAction.CREATE, RepoAction.UPDATE)
    repositories, collection = call.host.repositories, Nsid(body["collection"])
    catalogs = await catalogs_for(call, [collection])
    write = await call.compute(
        prepare_record,
        catalogs[collection],
        WriteAction.PUT,
        collection,
        RecordKey(body["rkey"]),
        body["record"],
        validate=body.get("validate"),
        fresh_key=repositories.fresh_record_key(),
        swap=swap_record(body),
    )
    await check_blobs(call.host.db, did, [write])
    committed = await commit(repositories, did, [write], swap_commit=optional_cid(body, "swapCommit"))
    return write_response(did, write, committed)


METHOD = procedure(
    "com.atproto.repo.putRecord",
    put_record,
    AccessLevel.ACCESS,
    max_body_bytes=WRITE_BODY_BYTES,
    charges=per_account(WRITES, WRITES_DAILY),
    points=lambda _: UPDATE_POINTS,
)
