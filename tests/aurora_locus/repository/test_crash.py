"""Invariants 1 and 2 under ``kill -9``: no acknowledged write is lost, every commit has its event, and numbers
continue.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from at_protocol.data.model import Value
from at_protocol.sync import events
from aurora_locus.repository.export import export
from groundwork.clock import SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository, messages, verify_log
from tests.aurora_locus.repository.writer_process import PEOPLE
from tests.external_dependencies import ROOT
from tests.timeouts import TIMEOUT_SECONDS

KILLS = 4

# The acknowledged state of each record: its text, or None for a deletion.
Acknowledged = dict[tuple[str, str], str | None]


async def write_until_killed(folder: Path, seed: str, after: int) -> Acknowledged:
    """Kill the process after that many acknowledgements and return them."""
    arguments = ("-m", "tests.aurora_locus.repository.writer_process", str(folder), seed)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(lines) < after:
                lines.append(await process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
    lines += (await process.stdout.read()).splitlines()
    await process.wait()
    acknowledged: Acknowledged = {}
    for line in lines:
        name, rkey, *text = line.decode().split()
        acknowledged[name, rkey] = None if text == ["-"] else " ".join(text)
    return acknowledged


def text_of(record: Value) -> str | None:
    return str(record["text"]) if isinstance(record, dict) else None


async def test_log_and_repositories_are_valid_after_a_kill_at_any_moment(tmp_path: Path):
    chance = random.Random("kill")
    url = f"sqlite://{tmp_path}/pds.db"
    clock = SystemClock()
    await migrate(url, "", "aurora_locus")
    db = await open_database(url, clock=clock)
    repositories = await assemble(db, clock, tmp_path)
    for name in PEOPLE:
        await HostedRepository.make(repositories, name)
    await repositories.close()
    await db.close()
    last = 0
    for round_ in range(KILLS):
        acknowledged = await write_until_killed(tmp_path, str(round_), chance.randrange(5, 120))
        db = await open_database(url, clock=clock)
        repositories = await assemble(db, clock, tmp_path)
        numbers = [message.seq for message in await messages(db)]
        assert numbers == list(range(1, numbers[-1] + 1))
        assert numbers[-1] > last
        for name in PEOPLE:
            person = HostedRepository.named(repositories, name)
            # Every announced commit is valid and follows the previous one; the last one is the head.
            announced = await verify_log(db, person.did, person.key.public, clock.now())
            head = await repositories.head(person.did)
            commits = [one for one in await messages(db, person.did) if isinstance(one, events.CommitMessage)]
            assert commits[-1].commit == head.commit
            (held,) = await db.read(
                lambda r, did=person.did: r.fetch("select count(*) from records where did = :did", did=did)
            )
            assert held[0] == len(announced)
            assert len([chunk async for chunk in export(repositories, person.did)]) >= 1
            later = _later_than_acknowledged(name, announced, acknowledged, str(round_))
            assert len(later) <= 1  # only one write was in progress
        last = numbers[-1]
        await repositories.close()
        await db.close()


def _later_than_acknowledged(
    name: str, announced: dict[str, Value], acknowledged: Acknowledged, seed: str
) -> list[tuple[str, str | None, str | None]]:
    """Records that differ from the last acknowledgement: only the write interrupted by the kill may have changed one."""
    found = []
    for (who, rkey), text in acknowledged.items():
        stored = text_of(announced.get(f"org.example.note/{rkey}"))
        if who == name and stored != text:
            assert stored is None or stored.startswith(f"{seed} ")
            found.append((rkey, text, stored))
    return found
