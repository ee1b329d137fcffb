"""Return individual blocks of a repository, by CID."""

from collections.abc import AsyncIterator

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.syntax.did import Did
from aurora_locus.repository.reader import block_sizes, load_blocks
from aurora_locus.xrpc.method import XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import parse_cids, visible_head
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound

# The length of a URL allows no more than this anyway.
_MAX_CIDS = 200

# Two hundred blocks can have two hundred megabytes, so they are read in portions.
_PORTION_BYTES = 1 << 20


async def get_blocks(call: XrpcCall) -> XrpcResponse:
    """Return a CAR without roots, with each block once, in the requested order."""
    did = Did(call.parameters["did"])
    cids = parse_cids(call.parameters["cids"])
    if len(cids) > _MAX_CIDS:
        raise InvalidInput("cids", f"{len(cids)} CIDs; at most {_MAX_CIDS} can be requested at once.")
    await visible_head(call, did)
    sizes = await block_sizes(call.host.db, did, cids)
    missing = [str(cid) for cid in cids if cid not in sizes]
    if missing:
        raise NotFound(f"Could not find blocks: {', '.join(missing)}", name="BlockNotFound")
    return XrpcResponse(_file(call.host.db, did, {cid: sizes[cid] for cid in cids}), car.MEDIA_TYPE)


async def _file(db: Database, did: Did, sizes: dict[Cid, int]) -> AsyncIterator[bytes]:
    """Yield the CAR. Raises KeyError if a block was removed in the meantime, which breaks the connection."""
    yield b"".join(car.write([], ()))
    portion: list[Cid] = []
    size = 0
    for cid, block_bytes in sizes.items():
        portion.append(cid)
        size += block_bytes
        if size >= _PORTION_BYTES:
            yield await _sections(db, did, portion)
            portion, size = [], 0
    if portion:
        yield await _sections(db, did, portion)


async def _sections(db: Database, did: Did, cids: list[Cid]) -> bytes:
    blocks = await load_blocks(db, did, cids)
    return b"".join(car.section(cid, blocks[cid]) for cid in cids)


METHOD = query("com.atproto.sync.getBlocks", get_blocks)
