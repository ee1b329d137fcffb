"""Backups and restores that are killed, and servers that are killed during a backup: afterwards all data is intact."""

import asyncio
import json
import os
import random
from pathlib import Path

from tests.simulation.processes import OPENMEET
from tests.system.pds_operator import PdsOperator, write_pds_settings
from tests.system.pds_storm import _check_account
from tests.system.servers import running_servers
from tests.system.stream import whole_stream
from tests.system.writers import Writer


async def killed(folder: Path, after_seconds: float, *arguments: str) -> bool:
    """Run a command and kill it after a moment. Returns whether it was still running."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PDS_", "OPENMEET_"))}
    process = await asyncio.create_subprocess_exec(
        OPENMEET,
        *arguments,
        cwd=folder,
        env=inherited,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.wait_for(process.wait(), after_seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        return True
    return False


async def test_killed_backup_server_and_restore_lose_no_acknowledged_write(tmp_path: Path):
    """While people write, a backup is killed at some instant, then the server. Everything acknowledged is stored and
    verifies. A restore that is killed repeatedly ends like an undisturbed one.
    """
    chance = random.Random(11)
    async with running_servers(tmp_path, PDS_RATE_LIMITS_ENABLED="false") as servers:
        account = await servers.account("ada")
        write_pds_settings(tmp_path / "town.toml", servers, tmp_path / "pds", tmp_path / "vault")
        write_pds_settings(tmp_path / "new.toml", servers, tmp_path / "new", tmp_path / "vault")
        operator, stop = PdsOperator(tmp_path, {}), asyncio.Event()
        first = json.loads(await operator.run("pds", "backup", "--json", "--settings", "town.toml"))
        writer = Writer(account, "w", random.Random(5))
        writing = asyncio.create_task(writer.write(stop))
        died = await killed(tmp_path, chance.uniform(1.0, 1.8), "pds", "backup", "--settings", "town.toml")
        await servers.pds.kill()
        await servers.pds.start()
        stop.set()
        await writing

        report = json.loads(await operator.run("pds", "verify", "--json", "--settings", "town.toml"))
        assert (report["ok"], report["findings"]) == (True, [])
        frames = [frame for _, frame in await whole_stream(servers.url)]
        await _check_account(servers, account, [writer], frames)
        assert writer.acknowledged > 0
        listed = json.loads(await operator.run("pds", "backups", "--json", "--settings", "town.toml"))
        assert len(listed) == (1 if died else 2), "half a backup is listed"
        await servers.pds.kill()

        for _ in range(2):
            await killed(tmp_path, chance.uniform(0.8, 1.6), "pds", "restore", first["id"], "--settings", "new.toml")
        if not (tmp_path / "new" / "pds.db").exists():  # otherwise the restore finished before it could be killed
            restored = json.loads(await operator.run("pds", "restore", first["id"], "--json", "--settings", "new.toml"))
            assert restored["ok"]
            assert restored["first_number"] == first["last_number"] + 10_000_001
        report = json.loads(await operator.run("pds", "verify", "--json", "--settings", "new.toml"))
        assert report["ok"]
