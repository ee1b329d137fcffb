"""The two servers as processes, with the same directory, on the same machine, and both without a log line per request."""

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from checks import reference
from tests.bench.machine import resident_mb
from tests.simulation.processes import Program, free_port
from tests.simulation.reference_pds import ReferencePds


@dataclass
class Side:
    """A server that is measured."""

    name: str
    port: int
    server: Program | ReferencePds
    durability: str
    floor_mb: float
    """Memory of a process that has imported the server's code and does nothing."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def resident_mb(self) -> float:
        assert self.server.process is not None
        return resident_mb(self.server.process.pid)


async def start_both(folder: Path) -> tuple[Side, Side, Program]:
    """Start our server, the reference PDS, and the directory that both use."""
    plc_port = free_port()
    plc_url = f"http://127.0.0.1:{plc_port}"
    settings = {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(folder / "plc"), "PLC_HOURLY_LIMIT": "0"}
    plc = Program("plc", {**settings, "OPENMEET_LOG_LEVEL": "warning"}, folder / "plc.log", f"{plc_url}/_health")
    await plc.start()
    ours, theirs = _ours(folder, plc_url), _theirs(folder, plc_url)
    await ours.server.start()
    await theirs.server.start()
    return ours, theirs, plc


def _ours(folder: Path, plc_url: str) -> Side:
    port = free_port()
    environment = {
        "PDS_DEV_MODE": "true",
        "PDS_PORT": str(port),
        "PDS_PUBLIC_URL": f"http://localhost:{port}",
        "PDS_DATA_DIRECTORY": str(folder / "ours"),
        "PDS_DID_PLC_URL": plc_url,
        "OPENMEET_LOG_LEVEL": "warning",
    }
    program = Program("pds", environment, folder / "ours.log", f"http://127.0.0.1:{port}/xrpc/_health")
    durability = "WAL, synchronous=FULL: on the disk before the answer; one database, events in the same transaction"
    return Side(
        "Aurora Locus", port, program, durability, _floor([sys.executable, "-c", "import programs.pds; input()"])
    )


def _theirs(folder: Path, plc_url: str) -> Side:
    # In dev mode it checks its own responses, so it runs in production mode, which requires a host name with https.
    quiet = {"LOG_ENABLED": "false", "PDS_DEV_MODE": "false", "PDS_HOSTNAME": "reference.test"}
    server = ReferencePds(folder / "theirs", plc_url, settings=quiet)
    node = reference.node()
    assert node is not None
    imported = "await import('@atproto/pds'); process.stdin.on('data', () => process.exit())"
    floor = _floor([str(node), "--input-type=module", "-e", imported], reference.FOLDER)
    return Side("reference", server.port, server, _synchronous(str(node)), floor)


def _synchronous(node: str) -> str:
    """What the SQLite library of this Node.js does on COMMIT in WAL mode, a setting that the reference PDS leaves at
    the default.
    """
    script = (
        "const d = new (require('better-sqlite3'))(process.argv[1]); d.pragma('journal_mode = WAL');"
        "console.log(d.pragma('synchronous', {simple: true}))"
    )
    file = reference.FOLDER / "node_modules/.synchronous.sqlite"
    asked = [node, "-e", script, str(file)]
    level = subprocess.run(asked, cwd=reference.FOLDER, capture_output=True, text=True, check=True).stdout.strip()
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    name = {"0": "OFF", "1": "NORMAL", "2": "FULL"}[level]
    meaning = "the answer may come before the disk has it" if level != "2" else "on the disk before the answer"
    return f"WAL, synchronous={name}: {meaning}; repository and events in two databases"


def _floor(command: list[str], folder: Path | None = None) -> float:
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        # It has imported everything when it has read nothing for a second.
        last = 0.0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1.0)
            now = resident_mb(process.pid)
            if now == last:
                break
            last = now
        process.stdin.write(b"\n")
        process.stdin.close()
        process.wait(timeout=20)
    return last
