"""The walk-through in ``docs/changing.md`` is correct: a new XRPC method of the PDS changes three files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"^## An XRPC method of the PDS\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
XRPC = Path("src", "aurora_locus", "xrpc")

# Runs on the copy: a client calls the method.
TRIAL = """
import httpx

async def test_anybody_calls_the_method(deployment):
    async with httpx.AsyncClient(base_url=deployment.url) as client:
        called = "/xrpc/com.atproto.sync.notifyOfUpdate"
        assert (await client.post(called, json={"hostname": "other.example"})).status_code == 200
        assert (await client.post(called, json={})).json()["error"] == "InvalidRequest"
"""


def test_a_new_method_changes_three_files(tmp_path: Path) -> None:
    section = SECTION.search((ROOT / "docs" / "changing.md").read_text(encoding="utf-8"))
    assert section is not None
    method, entry, row = (re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(section[1]))
    for folder in ("src/aurora_locus", "tests", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    (tmp_path / XRPC / "com_atproto_sync" / "notify_of_update.py").write_text(method, encoding="utf-8")
    table = tmp_path / XRPC / "com_atproto_sync" / "table.py"
    _insert(table, "    request_crawl.METHOD,\n", entry)
    _insert(table, "    request_crawl,\n", "    notify_of_update,\n")
    _insert(tmp_path / "docs" / "routes.md", "| `com.atproto.sync.requestCrawl`", row)
    trial = tmp_path / "tests" / "aurora_locus" / "xrpc" / "test_trial.py"
    trial.write_text(TRIAL, encoding="utf-8")
    listed = "tests/docs/test_routes.py::test_methods_with_their_kind_and_caller"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgresql", str(trial), listed],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path / 'src'}:{ROOT / 'src'}:{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _insert(file: Path, before: str, text: str) -> None:
    source = file.read_text(encoding="utf-8")
    assert before in source, file
    file.write_text(source.replace(before, text + before, 1), encoding="utf-8")
