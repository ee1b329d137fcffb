"""Delete a record. Deleting a record that does not exist succeeds and makes no commit."""

from typing import Any

from at_protocol.oauth.permissions import RepoAction
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.accounts.limits import DELETION_POINTS, WRITES, WRITES_DAILY
from aurora_locus.repository.commit import commit
from aurora_locus.repository.prepare import prepare_deletion
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_repo.write_responses import commit_meta, optional_cid, swap_record
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import XrpcCall, procedure
from aurora_locus.xrpc.permissions import require_repo_action
from aurora_locus.xrpc.target import own_repository


async def delete_record(call: XrpcCall) -> dict[str, Any]:
    """Delete a record. Return the commit, if there was one. Raises Conflict (``InvalidSwap``) if the repository or the
    record has changed.
    """
    body = call.body
    did = await own_repository(call, body["repo"])
    require_repo_action(call.caller, body["collection"], RepoAction.DELETE)
    write = prepare_deletion(Nsid(body["collection"]), RecordKey(body["rkey"]), swap=swap_record(body))
    committed = await commit(call.host.repositories, did, [write], swap_commit=optional_cid(body, "swapCommit"))
    return commit_meta(committed)


METHOD = procedure(
    "com.atproto.repo.deleteRecord",
    delete_record,
    AccessLevel.ACCESS,
    charges=per_account(WRITES, WRITES_DAILY),
    points=lambda _: DELETION_POINTS,
)
