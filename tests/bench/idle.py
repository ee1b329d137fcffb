"""Memory of unused accounts: how much more a PDS with 10,000 of them needs than its imports alone."""

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.bench.figure import Figure, check
from tests.bench.pds import Pds, make_accounts
from tests.bench.timing import progress
from tests.external_dependencies import ROOT

ACCOUNTS = 10_000
FLOOR = "import programs.pds, sys; from tests.bench.machine import resident_mb; print(resident_mb())"


def measure() -> Iterator[Figure]:
    asked = subprocess.run([sys.executable, "-c", FLOOR], cwd=ROOT, capture_output=True, text=True, check=True)
    floor = float(asked.stdout)
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        pds = Pds(Path(folder))
        with pds.running() as server:
            empty = server.resident_mb
        progress(f"making {ACCOUNTS:,} accounts")
        accounts = pds.fill(lambda registry: make_accounts(registry, ACCOUNTS))
        with pds.running() as server:
            page = _get(f"{server.url}/xrpc/com.atproto.sync.listRepos?limit=1000")
            check(len(page["repos"]) == 1000, "the accounts are not there")
            head = _get(f"{server.url}/xrpc/com.atproto.sync.getLatestCommit?did={accounts[-1].did}")
            check("rev" in head, "an account has no repository")
            held = server.resident_mb
    note = f"{held:.0f} MB; imports alone {floor:.0f} MB, at its first start with no account {empty:.0f} MB"
    name = f"PDS with {ACCOUNTS:,} idle accounts, above its imports"
    yield Figure(name, held - floor, "MB", 40, less_is_better=True, note=note)


def _get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return msgspec.json.decode(answer.read())
