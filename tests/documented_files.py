"""Compares the files that an example of docs/changing.md changes with the table of its section.

The example is made in a copy of ``src/`` and ``docs/``, below one folder.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.tables import bare, section
from tests.external_dependencies import ROOT

# Each writes files from the sources, as ``make messages`` and ``make privacy`` do.
GENERATORS = ("checks.messages", "checks.privacy")
PARENTS = ("src/openmeet", "src", "")
COLUMN = "for a column"


def copy_sources(folder: Path) -> Path:
    """Copy the sources and the generated page, and return the copy of ``src/``.

    The compiled files are copied too, because compiling takes longer. Python checks them by file size and time.
    """
    (folder / "docs").mkdir()
    shutil.copy2(ROOT / "docs" / "privacy.md", folder / "docs")
    return Path(shutil.copytree(ROOT / "src", folder / "src"))


def generate(folder: Path) -> None:
    """Run the generators on the copy."""
    for module in GENERATORS:
        subprocess.run(
            [sys.executable, "-m", module],
            cwd=folder,
            env={"PYTHONPATH": f"{folder / 'src'}{os.pathsep}{ROOT}"},
            check=True,
        )


def changed(folder: Path) -> set[str]:
    """The files of the copy that are new or differ from the original."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name
        for name, path in names.items()
        if not (ROOT / name).exists() or (ROOT / name).read_bytes() != path.read_bytes()
    }


def listed(heading: str, folder: Path, *, has_column: bool = False) -> set[str]:
    """The files in the table of a section, as they are called in the copy. Rows without a path are left out."""
    found = set[str]()
    for name, written in section("changing.md", heading):
        if name.startswith("`") and (has_column or COLUMN not in written):
            places = [Path(parent) / bare(name) for parent in PARENTS]
            found.add(next((one for one in places if (folder / one).exists()), places[0]).as_posix())
    return found
