"""Adds revisions to packages, for tests of migrations."""

import importlib
import shutil
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import cast

import pytest

from groundwork.database.migrate import head

Revise = Callable[[str, str], str]

REVISION = """
from groundwork.database.revision import apply

revision = {number!r}
down_revision = {before!r}


def upgrade() -> None:
    apply({script!r})
"""


@pytest.fixture
def revise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Revise:
    """``revise(package, sql)`` adds a revision to the package within this test and process, and returns its number."""

    def revise(package: str, script: str) -> str:
        versions = tmp_path / "revised" / package / "migrations" / "versions"
        if not versions.exists():
            spec = cast("ModuleSpec", importlib.import_module(package).__spec__)
            folders = cast("list[str]", spec.submodule_search_locations)
            shutil.copytree(Path(folders[0]) / "migrations", versions.parent)
            # The folder that is searched for revisions. Modules are still imported from the package's own path.
            monkeypatch.setattr(spec, "submodule_search_locations", [str(versions.parents[1]), *folders])
        before = head(versions)
        number = f"{int(before) + 1:04}"
        text = REVISION.format(number=number, before=before, script=script)
        (versions / f"{number}_of_this_test.py").write_text(text, encoding="utf-8")
        return number

    return revise
