"""List the repositories that have records of a collection. The host's own index answers this without a crawl."""

from typing import Any

from at_protocol.failures import Malformed
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import Nsid
from aurora_locus.accounts.limits import LIST_REPOS
from aurora_locus.repository import reader
from aurora_locus.xrpc.com_atproto_sync.own_host import require_enumerable
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import bad_cursor


async def list_repos_by_collection(call: XrpcCall) -> dict[str, Any]:
    """Return a page of active repositories by DID. The cursor is the last DID."""
    require_enumerable(call)
    limit, cursor = call.parameters["limit"], call.parameters.get("cursor")
    if cursor is not None:
        try:
            parse_did(cursor)
        except Malformed:
            raise bad_cursor() from None
    dids = await reader.repositories_with(
        call.host.db, Nsid(call.parameters["collection"]), cursor=cursor or "", limit=limit
    )
    page: dict[str, Any] = {"repos": [{"did": did} for did in dids]}
    if len(dids) == limit:
        page["cursor"] = dids[-1]
    return page


METHOD = query("com.atproto.sync.listReposByCollection", list_repos_by_collection, charges=per_address(LIST_REPOS))
