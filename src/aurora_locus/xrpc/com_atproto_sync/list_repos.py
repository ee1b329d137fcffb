"""List every repository of this host, in the order of creation, so that a crawler that reads page after page misses
none.
"""

import re
from typing import Any

from aurora_locus.accounts.limits import LIST_REPOS
from aurora_locus.repository import reader
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_sync.own_host import require_enumerable
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import bad_cursor
from groundwork.clock import Instant

_CURSOR = re.compile(r"([0-9]{1,18}):(did:.{1,2048})")


async def list_repos(call: XrpcCall) -> dict[str, Any]:
    """Return a page of repositories, with head, rev and status of each."""
    require_enumerable(call)
    limit = call.parameters["limit"]
    created_at, did = _position(call.parameters.get("cursor"))
    heads = await reader.heads_after(call.host.db, created_at, did, limit)
    page: dict[str, Any] = {"repos": [_repo_view(head) for _, head in heads]}
    if len(heads) == limit:
        position, head = heads[-1]
        page["cursor"] = f"{position}:{head.did}"
    return page


def _position(cursor: str | None) -> tuple[Instant, str]:
    if cursor is None:
        return Instant(-1), ""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise bad_cursor()
    return Instant(int(match[1])), match[2]


def _repo_view(head: Head) -> dict[str, Any]:
    view = {"did": head.did, "head": str(head.commit), "rev": head.rev, "active": head.status is HostingStatus.ACTIVE}
    return view if head.status is HostingStatus.ACTIVE else {**view, "status": head.status.value}


METHOD = query("com.atproto.sync.listRepos", list_repos, AccessLevel.OPTIONAL_LENIENT, charges=per_address(LIST_REPOS))
