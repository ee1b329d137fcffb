"""How much of an account is here, and whether its identity says that it lives here."""

from aurora_locus.accounts import holdings, residence
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository.model import HostingStatus
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.errors import NotFound, Refused


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """``validDid`` is what the directory says now; raises RemoteFailed or RemoteSlow where that cannot be known."""
    did = call.did
    try:
        claim = await residence.claim_of(registry, did)
        is_valid = not await residence.problems(registry, did, claim)
        await residence.note(registry, did, claim)
    except (Refused, NotFound):
        is_valid = False
    head = await registry.repositories.head(did)
    async with registry.db.reader() as reader:
        held = await holdings.count(reader, did)
    return {
        "activated": head.status is HostingStatus.ACTIVE,
        "validDid": is_valid,
        "repoCommit": str(head.commit),
        "repoRev": head.rev,
        "repoBlocks": held.blocks,
        "indexedRecords": held.records,
        "privateStateValues": held.preferences,
        "expectedBlobs": held.expected_blobs,
        "importedBlobs": held.blobs,
    }
