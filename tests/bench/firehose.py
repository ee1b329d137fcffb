"""The firehose: one subscriber that reads the past, and a hundred that follow while people write.

PDS, writers and subscribers are separate processes and share the machine's cores. Every frame that a subscriber
receives is compared with the log, in order.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.nsid import Nsid
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository.commit import commit
from aurora_locus.repository.model import WriteAction
from aurora_locus.repository.prepare import prepare_record
from aurora_locus.sequencer import queries
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.pds import Account, Pds, make_accounts
from tests.bench.timing import progress
from tests.bench.writing import COLLECTION, record, write
from tests.external_dependencies import ROOT

WRITERS = 16
PAST_EACH = 400
SUBSCRIBERS = 100
PROCESSES = 2
LIVE_EACH = 60


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        pds = Pds(Path(folder))
        progress(f"committing {WRITERS * PAST_EACH:,} records")
        accounts = pds.fill(_fill)
        log = pds.fill(_log)
        with pds.running() as server:
            progress(f"replaying {len(log):,} frames")
            yield _replay(server.url, log)
            progress(f"{SUBSCRIBERS} subscribers, {WRITERS} writers of {LIVE_EACH} records each")
            frames = WRITERS * LIVE_EACH
            began, ended, checksums = _follow(server.url, accounts, frames)
        after = pds.fill(_log)
        new = after[len(log) :]
        check(len(new) == frames, f"{len(new)} frames were logged for {frames} records")
        check(checksums == [_checksum(new)], "subscribers received other frames than the log contains")
        name = f"live: {SUBSCRIBERS} subscribers, each every frame"
        note = f"while {WRITERS} people write {frames / (ended - began):,.0f} records/s"
        yield Figure(name, frames * SUBSCRIBERS / (ended - began), "deliveries/s", 40_000, note=note)


async def _fill(registry: Registry) -> list[Account]:
    accounts = await make_accounts(registry, WRITERS)
    catalog, repositories = Catalog(), registry.repositories

    async def fill(account: Account) -> None:
        for number in range(PAST_EACH):
            key = repositories.fresh_record_key()
            value = record(account, number)
            made = prepare_record(
                catalog, WriteAction.CREATE, Nsid(COLLECTION), None, value, validate=None, fresh_key=key
            )
            await commit(repositories, account.did, [made])

    await asyncio.gather(*map(fill, accounts))
    return accounts


async def _log(registry: Registry) -> list[bytes]:
    frames: list[bytes] = []
    position = 0
    while page := await queries.page(registry.db, position, 1000):
        frames += [frame for _, frame in page]
        position = page[-1][0]
    return frames


def _replay(url: str, log: list[bytes]) -> Figure:
    began = time.monotonic()
    process = _subscribers(url, 1, len(log), 0)
    began = _until_ready(process)
    report = _report(process)
    check(report["checksums"] == [_checksum(log)], "the replay differs from the log")
    per_second = len(log) / (report["done"] - began)
    megabytes = report["bytes"] / (report["done"] - began) / 1_000_000
    return Figure("replay from the log to one subscriber", per_second, "frames/s", 40_000, note=f"{megabytes:.0f} MB/s")


def _follow(url: str, accounts: list[Account], frames: int) -> tuple[float, float, list[int]]:
    """When writing began, when the last subscriber had the last frame, and checksums of what the subscribers received."""
    followers = [_subscribers(url, SUBSCRIBERS // PROCESSES, frames) for _ in range(PROCESSES)]
    for process in followers:
        _until_ready(process)
    time.sleep(0.2)  # the server registers a live subscriber just after the handshake
    began = time.monotonic()
    run(write(url, accounts, LIVE_EACH, PAST_EACH))
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(_report, followers))
    checksums = sorted({checksum for report in reports for checksum in report["checksums"]})
    return began, max(report["done"] for report in reports), checksums


def _subscribers(url: str, count: int, frames: int, cursor: int | None = None) -> subprocess.Popen[str]:
    arguments = [url, str(count), str(frames), *([] if cursor is None else [str(cursor)])]
    command = [sys.executable, "-m", "tests.bench.subscribers", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _until_ready(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    check(process.stdout.readline() == "ready\n", "the subscribers did not connect")
    return time.monotonic()


def _report(process: subprocess.Popen[str]) -> dict:
    assert process.stdout is not None
    text = process.stdout.readline()
    check(process.wait() == 0 and bool(text), "the subscribers did not get all frames")
    return json.loads(text)


def _checksum(frames: list[bytes]) -> int:
    checksum = 0
    for frame in frames:
        checksum = zlib.crc32(frame, checksum)
    return checksum
