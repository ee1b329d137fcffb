"""The cost of importing a file is bounded: each block is read once, even if many paths and nodes link to it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car, snapshot, stored_record
from at_protocol.repo.build import build
from at_protocol.repo.commit import sign_commit
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.repo.stored_record import StoredRecord
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.repository import import_plan
from aurora_locus.repository.import_plan import RepositorySnapshot, plan_import
from groundwork.clock import HandClock
from groundwork.errors import InvalidInput
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.repository.importing import ELSEWHERE, bring, file_of_blocks, mover, require_consistent

__all__ = ["mover"]


@pytest.fixture
def record_read_count(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of records read."""
    count = [0]
    read = stored_record.read_stored

    def counting(cid: Cid, block: bytes) -> StoredRecord:
        count[0] += 1
        return read(cid, block)

    monkeypatch.setattr(import_plan, "read_stored", counting)
    monkeypatch.setattr(snapshot, "read_stored", counting)
    return lambda: count[0]


async def test_a_record_at_many_paths_is_read_once(
    mover: HostedRepository, clock: HandClock, tmp_path: Path, record_read_count: Callable[[], int]
) -> None:
    """A record that is linked from many paths is read once. A file of maximum size can link a record of a megabyte from
    a million paths, which used to take hours.
    """
    blob = {"$type": "blob", "ref": Cid.for_raw(b"x"), "mimeType": "image/png", "size": 1}
    one = cbor.encode({"$type": NOTE, "text": "the same", "picture": blob})
    odd = cbor.encode(["no map"])
    blocks = {f"{NOTE}/k{number:03}": one for number in range(300)} | {
        f"{NOTE}/odd{number}": odd for number in range(9)
    }
    data = file_of_blocks(mover.did, blocks, from_microseconds(clock.now(), 3))
    found = read_snapshot(car.read(data))
    assert (len(found.entries), len(found.flaws), record_read_count()) == (309, 9, 2)
    file = car.read(data)
    plan_import(mover.did, file.roots, file.blocks.get, RepositorySnapshot(EMPTY_ROOT, {}, {}))
    assert record_read_count() == 4
    await bring(mover, data, tmp_path)
    assert len((await require_consistent(mover)).entries) == 309


async def test_subtree_linked_from_two_places_is_refused(
    mover: HostedRepository, clock: HandClock, tmp_path: Path
) -> None:
    """A subtree linked from two places is refused: if each level links the one below twice, a few kilobytes would take
    forever.
    """
    record = cbor.encode({"$type": NOTE, "text": "leaf"})
    value = Cid.for_cbor(record)
    tree = build(sorted((f"{NOTE}/{number:04}", value) for number in range(400)))
    root = cbor.decode(tree.blocks[tree.root])
    assert isinstance(root, dict)
    entries = root["e"]
    assert isinstance(entries, list)
    shared = next(entry["t"] for entry in entries if isinstance(entry, dict) and entry["t"] is not None)
    block = cbor.encode({**root, "l": shared, "e": entries})
    commit = sign_commit(ELSEWHERE, did=mover.did, rev=from_microseconds(clock.now(), 3), data=Cid.for_cbor(block))
    sections = {commit.cid: commit.block, **tree.blocks, value: record, Cid.for_cbor(block): block}
    with pytest.raises(InvalidInput, match="outside of its gap"):
        await bring(mover, b"".join(car.write([commit.cid], sections.items())), tmp_path)
