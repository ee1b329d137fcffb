"""Return the owner of a repository, and its collections."""

from typing import Any

import msgspec

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries as accounts
from aurora_locus.repository import reader
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import did_of, visible_head
from groundwork.errors import NotFound


async def describe_repo(call: XrpcCall) -> dict[str, Any]:
    """Return handle, DID, DID document and collections, and whether document and handle refer to each other."""
    did = await did_of(call, call.parameters["repo"])
    await visible_head(call, did)
    handle = await _handle_of(call, did)
    document = await call.host.network.resolve_did(did)
    return {
        "handle": handle,
        "did": did,
        "didDoc": msgspec.Raw(document.source),
        "collections": await reader.collections(call.host.db, did),
        "handleIsCorrect": document.handle == handle,
    }


async def _handle_of(call: XrpcCall, did: Did) -> str:
    async with call.host.db.reader() as r:
        account = await accounts.find(r, did)
    if account is None:
        raise NotFound(f"There is no account {did} on this server.", name="RepoNotFound")
    return account.handle


METHOD = query("com.atproto.repo.describeRepo", describe_repo, AccessLevel.OPTIONAL_LENIENT)
