"""All checks and the tests that a change can have broken, in two minutes: ``python -m checks.quick``.

Changed is what differs from ``main`` or is not committed. A test file is chosen when its imports reach a changed module; what starts
whole programs or needs a browser, another engine or another server is left to ``make test``. No file starts that would not end in time,
by the times that are recorded, and what was left out is counted by folder.
"""

import functools
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from checks import __main__ as checks
from checks.suite import read_record

SECONDS = 110.0
# Also where the checks took longer than usual.
LEAST_SECONDS_OF_TESTS = 30.0
FILES_AT_ONCE = 6
LEFT_TO_THE_SUITE = ("simulation", "attack", "interop", "system", "browser", "soak", "bench", "deploy")


def modules() -> dict[str, Path]:
    """Every module of src, checks and tests by its name."""
    files = [(Path("src"), file) for file in Path("src").rglob("*.py")]
    files += [
        (Path(), file)
        for top in ("tests", "checks")
        for file in Path(top).rglob("*.py")
        if "node_modules" not in file.parts
    ]
    return {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file for root, file in files
    }


# Reading the syntax of two thousand files takes eight seconds, this half a second; what it finds besides chooses a test too many.
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^(\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n]+)", re.MULTILINE)
_STRING = re.compile(r"""["']([\w.]+)["']""")
_NAME = re.compile(r"[\w.]+")


def imports(file: Path, known: AbstractSet[str]) -> set[str]:
    """The modules that this one imports, also within its functions, or names in a string: they are imported, or patched, by name."""
    text = file.read_text(encoding="utf-8")
    found = set(_STRING.findall(text))
    for module, names in _FROM.findall(text):
        found |= {module, *(f"{module}.{name}" for name in _NAME.findall(names))}
    for names in _IMPORT.findall(text):
        found |= set(_NAME.findall(names))
    return found & known


def reached(changed: Iterable[str], imported_by_each: Mapping[str, set[str]]) -> list[str]:
    """The changed modules and all that import one of them, directly or not; the nearest first."""
    importers: dict[str, set[str]] = {}
    for module, imported in imported_by_each.items():
        for name in imported:
            importers.setdefault(name, set()).add(module)
    found = dict.fromkeys(sorted(changed))
    queue = list(found)
    for name in queue:  # grows while it is walked
        more = sorted(importers.get(name, set()) - found.keys())
        found |= dict.fromkeys(more)
        queue += more
    return queue


@functools.cache
def graph() -> dict[str, set[str]]:
    """What each module imports, and the conftests that hold for it."""
    files = modules()
    found = {name: imports(file, files.keys()) for name, file in files.items()}
    # A fixture of a conftest is used without an import. The one above all tests reaches everything, and would choose everything.
    for name in files:
        folder = name.split(".")[:-1]
        parents = (".".join([*folder[:length], "conftest"]) for length in range(2, len(folder) + 1))
        found[name] |= {parent for parent in parents if parent in files and parent != name}
    return found


def chosen(changed_files: set[str]) -> list[str]:
    """The test files to run, those nearest to the change first."""
    files = modules()
    changed = {name for name, file in files.items() if file.as_posix() in changed_files}
    return [
        files[name].as_posix()
        for name in reached(changed, graph())
        if files[name].name.startswith("test_") and files[name].parts[1] not in LEFT_TO_THE_SUITE
    ]


def changed_files() -> set[str]:
    """Paths that differ from where this branch left ``main``, and those that git does not know yet."""
    base = _git("merge-base", "main", "HEAD") or ["HEAD"]
    return {*_git("diff", "--name-only", base[0]), *_git("ls-files", "--others", "--exclude-standard")}


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.split("\n")[:-1]


def in_time(files: Iterable[str], expected: Mapping[str, float], seconds: float) -> list[str]:
    """The first files that together end within so many seconds, at most ``FILES_AT_ONCE``; a file of unknown length takes one second."""
    found: list[str] = []
    for file in files:
        takes = expected.get(file, 1.0)
        if takes <= seconds and len(found) < FILES_AT_ONCE:
            found.append(file)
            seconds -= takes
    return found


def main() -> int:
    """Exit status 0 when nothing that ran failed."""
    began = time.monotonic()
    failed = checks.main() != 0
    ends = max(began + SECONDS, time.monotonic() + LEAST_SECONDS_OF_TESTS)
    files = chosen(changed_files())
    expected = {file: times["wall"] for file, times in read_record().files.items()}
    left = files
    while now := in_time(left, expected, ends - time.monotonic()):
        left = [file for file in left if file not in now]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgresql", *now]
        # 5: of these files nothing is left without PostgreSQL.
        failed |= subprocess.run(command, check=False).returncode not in {0, 5}
    print(f"{len(files) - len(left)} of {len(files)} test files that the change reaches were run, on SQLite.")
    if left:
        print(f"Left out, because {SECONDS:.0f} seconds are over or they take longer, for make test:")
        for folder, count in sorted(Counter(file.rpartition("/")[0] for file in left).items()):
            print(f"  {count:3} in {folder}")
    print("Also left to make test:", ", ".join(f"tests/{folder}" for folder in LEFT_TO_THE_SUITE))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
