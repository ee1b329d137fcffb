"""getRepo of a repository of 20,000 records over HTTP: its speed, and whether the PDS's memory grows with the
repository.
"""

import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from at_protocol.lexicon.catalog import Catalog
from at_protocol.repo import car
from at_protocol.repo.commit import is_signed_by
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.nsid import Nsid
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository.commit import MAX_WRITES, commit
from aurora_locus.repository.model import WriteAction
from aurora_locus.repository.prepare import prepare_record
from tests.bench.captured import POST
from tests.bench.figure import Figure, check
from tests.bench.pds import Account, Pds, Running, make_accounts
from tests.bench.timing import progress

RECORDS = 20_000
SMALL = 1_000
TIMES = 3
MEGABYTE = 1_000_000


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        pds = Pds(Path(folder))
        progress(f"committing {RECORDS:,} records")
        large, small = pds.fill(_fill)
        with pds.running() as server:
            # A small export first allocates everything that any export needs (statements, code paths, buffers).
            _export(server, small)
            before = server.resident_mb
            times = []
            for number in range(TIMES):
                progress(f"exporting them, {number + 1} of {TIMES}")
                seconds, content = _export(server, large)
                times.append(seconds)
            grown = server.resident_mb - before
    snapshot = read_snapshot(car.read(content))
    check(len(snapshot.entries) == RECORDS, f"the export contains {len(snapshot.entries)} records")
    check(is_signed_by(snapshot.commit, large.key.public), "the export is not signed by its account's key")
    size = len(content) / MEGABYTE
    yield Figure(f"getRepo, {RECORDS:,} records ({size:.0f} MB)", size / sorted(times)[TIMES // 2], "MB/s", 80)
    name = f"memory added by the export, after an export of {SMALL:,}"
    yield Figure(name, grown, "MB", less_is_better=True)


async def _fill(registry: Registry) -> tuple[Account, Account]:
    large, small = await make_accounts(registry, 2)
    await _write(registry, large, RECORDS)
    await _write(registry, small, SMALL)
    return large, small


async def _write(registry: Registry, account: Account, count: int) -> None:
    catalog, repositories = Catalog(), registry.repositories
    for first in range(0, count, MAX_WRITES):
        writes = [
            prepare_record(
                catalog,
                WriteAction.CREATE,
                Nsid(POST["$type"]),
                None,
                {**POST, "text": f"{number} {POST['text']}"},
                validate=None,
                fresh_key=repositories.fresh_record_key(),
            )
            for number in range(first, min(first + MAX_WRITES, count))
        ]
        await commit(repositories, account.did, writes)


def _export(server: Running, account: Account) -> tuple[float, bytes]:
    begun = perf_counter()
    with urllib.request.urlopen(f"{server.url}/xrpc/com.atproto.sync.getRepo?did={account.did}", timeout=60) as answer:
        content = answer.read()
    return perf_counter() - begun, content
