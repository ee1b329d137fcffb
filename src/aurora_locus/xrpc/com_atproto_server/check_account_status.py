"""Return counts of an account's data, and whether its identity names this server."""

from aurora_locus.accounts import hosting_status, stored_data
from aurora_locus.repository.model import HostingStatus
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import NotFound, Refused


async def check_account_status(call: XrpcCall) -> Outcome:
    """Return counts of the caller's data, and whether the identity names this server.

    ``validDid`` is checked with the directory. Raises RemoteFailed or RemoteSlow if that cannot be determined.
    """
    registry = call.registry
    did = call.did
    try:
        claim = await hosting_status.claim_of(registry, did)
        is_valid = not await hosting_status.problems(registry, did, claim)
        await hosting_status.note(registry, did, claim)
    except (Refused, NotFound):
        is_valid = False
    head = await registry.repositories.head(did)
    async with registry.db.reader() as reader:
        counts = await stored_data.count(reader, did)
    return {
        "activated": head.status is HostingStatus.ACTIVE,
        "validDid": is_valid,
        "repoCommit": str(head.commit),
        "repoRev": head.rev,
        "repoBlocks": counts.blocks,
        "indexedRecords": counts.records,
        "privateStateValues": counts.preferences,
        "expectedBlobs": counts.expected_blobs,
        "importedBlobs": counts.blobs,
    }


METHOD = query("com.atproto.server.checkAccountStatus", check_account_status, AccessLevel.ACCESS)
