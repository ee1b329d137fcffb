"""Imported repositories keep odd records byte for byte, and odd paths are left out by name."""

import json
from pathlib import Path

import pytest

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.maintenance.integrity import examine
from aurora_locus.repository import hosting, reader
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.repository.importing import bring, file_of_blocks, mover, require_consistent
from tests.legacy_records import LEGACY_PATHS, LEGACY_RECORDS, UNREADABLE

__all__ = ["mover"]

GOOD = b"\xa1e$typep" + NOTE.encode()
BLOCKS = {f"{NOTE}/{name}": block for name, (block, _) in LEGACY_RECORDS.items()}
BLOCKS |= {f"{NOTE}/{name}": block for name, block in UNREADABLE.items()} | {f"{NOTE}/good": GOOD}
REV = from_microseconds(1_700_000_000_000_000, 3)


async def test_odd_records_keep_their_bytes(mover: HostedRepository, tmp_path: Path) -> None:
    """Odd records keep their bytes under the imported tree, and the server can write, export and check next to them."""
    data = file_of_blocks(mover.did, BLOCKS, REV)
    assert await bring(mover, data, tmp_path) is not None
    held = await require_consistent(mover)
    assert {path: held.records[cid] for path, cid in held.entries.items()} == BLOCKS
    assert held.commit.data == read_snapshot(car.read(data)).commit.data
    assert held.flaws.keys() == BLOCKS.keys() - {f"{NOTE}/good"}
    repositories = mover.repositories
    await repositories.db.write(lambda w: hosting.activate(w, repositories, mover.did, None))
    repositories.forget_head(mover.did)
    await mover.put("new", "written here")
    await mover.delete("deep")
    held = await require_consistent(mover)
    assert f"{NOTE}/new" in held.entries
    assert f"{NOTE}/deep" not in held.entries
    report = await examine(mover.repositories.db, only=mover.did, size_of=None)
    assert report.is_good, report


async def test_lists_show_readable_records(mover: HostedRepository, tmp_path: Path) -> None:
    await bring(mover, file_of_blocks(mover.did, BLOCKS, REV), tmp_path)
    forms, _ = await reader.list_forms(
        mover.repositories.db,
        mover.repositories.json_forms,
        mover.did,
        Nsid(NOTE),
        cursor=None,
        limit=100,
        oldest_first=True,
    )
    values = {rkey: json.loads(b"{%b}" % form)["value"] for rkey, form in forms}
    assert values == {name: value for name, (_, value) in LEGACY_RECORDS.items()} | {
        name: {} for name in UNREADABLE
    } | {"good": {"$type": NOTE}}


@pytest.mark.parametrize("again", [False, True])
async def test_odd_paths_are_left_out(mover: HostedRepository, tmp_path: Path, *, again: bool) -> None:
    """Only odd paths are left out, and importing the same file again changes nothing."""
    odd = dict.fromkeys((*LEGACY_PATHS, f"{NOTE}/a b", "no-slash", f"{NOTE}/é"), GOOD)
    data = file_of_blocks(mover.did, BLOCKS | odd, REV)
    assert await bring(mover, data, tmp_path) is not None
    if again:
        assert await bring(mover, data, tmp_path) is None
    held = await require_consistent(mover)
    assert {path: held.records[cid] for path, cid in held.entries.items()} == BLOCKS
    assert held.odd_paths == {}


async def test_missing_record_refuses_the_import(mover: HostedRepository, tmp_path: Path) -> None:
    data = file_of_blocks(mover.did, BLOCKS, REV, without=(Cid.for_cbor(GOOD),))
    with pytest.raises(Exception, match="is not in the file"):
        await bring(mover, data, tmp_path)
