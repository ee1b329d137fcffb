"""Write and read a repository of 20,000 records as a CAR in memory. A server's export cannot be faster than this."""

from collections.abc import Iterator

import libipld

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.build import build
from at_protocol.repo.commit import sign_commit
from at_protocol.repo.export import export
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import from_microseconds
from tests.bench.captured import POST
from tests.bench.figure import Figure, Peer, check
from tests.bench.timing import progress, rate, rates

RECORDS = 20_000
FIRST_US = 1_700_000_000_000_000
MEGABYTE = 1_000_000


def measure() -> Iterator[Figure]:
    progress(f"making a repository of {RECORDS:,} records")
    blocks: dict[Cid, bytes] = {}
    entries = []
    for number in range(RECORDS):
        block = cbor.encode({**POST, "text": f"{number} {POST['text']}"})
        cid = Cid.for_cbor(block)
        blocks[cid] = block
        entries.append((f"app.bsky.feed.post/{from_microseconds(FIRST_US + number * 1_000_000, 7)}", cid))
    built = build(entries)
    did = parse_did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    commit = sign_commit(
        K256PrivateKey(bytes(31) + b"\x2a"), did=did, rev=from_microseconds(FIRST_US, 7), data=built.root
    )

    def write() -> int:
        return sum(map(len, export(commit, built.blocks.get, blocks.get)))

    file = b"".join(export(commit, built.blocks.get, blocks.get))
    snapshot = read_snapshot(car.read(file))
    check(snapshot.entries == dict(entries), "the file contains other records than were written to it")
    size = len(file) / MEGABYTE
    per_second = rate(write)
    yield Figure(f"write {RECORDS:,} records ({size:.0f} MB)", per_second * size, "MB/s")
    # libipld neither checks hashes nor distinguishes links from bytes, but decodes every block.
    ours, theirs = rates(lambda: read_snapshot(car.read(file)), lambda: libipld.decode_car(file))
    yield Figure("read and check the whole file", ours * size, "MB/s", peer=Peer("libipld (no checks)", theirs * size))
