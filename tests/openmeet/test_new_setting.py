"""The walk-through in ``docs/changing.md`` is correct: a new setting of the installation changes two files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## A setting of the installation\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r'^ *(help_url: str = setting\("", doc="([^"]+)"\))$', re.MULTILINE)

# Runs on the copy: a program reads the setting, and the documents list it.
TRIAL = """
import sys
from pathlib import Path
from programs.platform_settings import read_installation_settings
from tests.docs import tables
from tests.docs.test_settings import test_every_setting_is_listed_with_default_and_meaning

folder = Path(sys.argv[1])
tables.DOCS = folder / "docs"
test_every_setting_is_listed_with_default_and_meaning("OPENMEET_")
environment = {"OPENMEET_DEV_MODE": "true", "OPENMEET_DEV_MAILBOX": "true"}
file = folder / "settings.toml"
file.write_text('[openmeet]\\nhelp_url = "https://file.example"\\n', encoding="utf-8")
for source in ({}, {"OPENMEET_HELP_URL": "https://environment.example"}):
    (settings,) = read_installation_settings(file, environment | source).values()
    print(settings.help_url)
"""


def test_a_new_setting_changes_two_files(tmp_path: Path) -> None:
    section = SECTION.search((ROOT / "docs" / "changing.md").read_text(encoding="utf-8"))
    assert section is not None
    setting = SETTING.search(section[1])
    assert setting is not None
    shutil.copytree(ROOT / "src" / "openmeet", tmp_path / "src" / "openmeet")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    _insert(tmp_path / "src" / "openmeet" / "settings.py", "    geocoder_url: str", f"    {setting[1]}\n")
    _insert(
        tmp_path / "docs" / "settings.md", "| `OPENMEET_GEOCODER_URL`", f"| `OPENMEET_HELP_URL` |  | {setting[2]} |\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", TRIAL, str(tmp_path)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path / 'src'}:{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["https://file.example", "https://environment.example"]


def _insert(file: Path, before: str, text: str) -> None:
    source = file.read_text(encoding="utf-8")
    assert before in source
    file.write_text(source.replace(before, text + before, 1), encoding="utf-8")
