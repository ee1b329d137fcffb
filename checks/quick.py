"""Run all checks, and the tests that a change could break, within two minutes: ``python -m checks.quick``.

A module counts as changed if it differs from ``main`` or is not committed. A test file is chosen if its imports lead to
a changed module. Tests that start whole programs, or that need a browser, another database engine or another server,
are left to ``make test-all``. A file is started only if it will end in time, according to the recorded durations. Files
that were left out are counted by folder.
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
from checks.durations import read_record

SECONDS = 110.0
# The tests get at least this long, even if the checks took longer than usual.
LEAST_SECONDS_OF_TESTS = 30.0
FILES_AT_ONCE = 6
LEFT_TO_THE_SUITE = ("simulation", "attack", "interop", "system", "browser", "soak", "bench", "deploy")


def modules() -> dict[str, Path]:
    """All modules of src, checks and tests, by name."""
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


# Parsing two thousand files takes eight seconds; this takes half a second. It can find too many imports, which only
# runs a few tests more.
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^(\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n]+)", re.MULTILINE)
_STRING = re.compile(r"""["']([\w.]+)["']""")
_NAME = re.compile(r"[\w.]+")


def imports(file: Path, known: AbstractSet[str]) -> set[str]:
    """The modules that this one imports, including imports within functions and module names in strings, which tests
    import or patch.
    """
    text = file.read_text(encoding="utf-8")
    found = set(_STRING.findall(text))
    for module, names in _FROM.findall(text):
        found |= {module, *(f"{module}.{name}" for name in _NAME.findall(names))}
    for names in _IMPORT.findall(text):
        found |= set(_NAME.findall(names))
    return found & known


def reached(changed: Iterable[str], imported_by_each: Mapping[str, set[str]]) -> list[str]:
    """The changed modules and all modules that import one of them, directly or indirectly. The closest come first."""
    importers: dict[str, set[str]] = {}
    for module, imported in imported_by_each.items():
        for name in imported:
            importers.setdefault(name, set()).add(module)
    found = dict.fromkeys(sorted(changed))
    queue = list(found)
    for name in queue:  # grows during the loop
        more = sorted(importers.get(name, set()) - found.keys())
        found |= dict.fromkeys(more)
        queue += more
    return queue


@functools.cache
def graph() -> dict[str, set[str]]:
    """The modules that each module imports, and the conftests that apply to it."""
    files = modules()
    found = {name: imports(file, files.keys()) for name, file in files.items()}
    # A fixture from a conftest is used without an import. The top-level conftest is left out, because it imports so
    # much that every test would be chosen.
    for name in files:
        folder = name.split(".")[:-1]
        parents = (".".join([*folder[:length], "conftest"]) for length in range(2, len(folder) + 1))
        found[name] |= {parent for parent in parents if parent in files and parent != name}
    return found


def chosen(changed_files: set[str]) -> list[str]:
    """The test files to run, those closest to the change first."""
    files = modules()
    changed = {name for name, file in files.items() if file.as_posix() in changed_files}
    return [
        files[name].as_posix()
        for name in reached(changed, graph())
        if files[name].name.startswith("test_") and files[name].parts[1] not in LEFT_TO_THE_SUITE
    ]


def changed_files() -> set[str]:
    """Paths that differ from the point where this branch left ``main``, and untracked files."""
    base = _git("merge-base", "main", "HEAD") or ["HEAD"]
    return {*_git("diff", "--name-only", base[0]), *_git("ls-files", "--others", "--exclude-standard")}


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.split("\n")[:-1]


def in_time(files: Iterable[str], expected: Mapping[str, float], seconds: float) -> list[str]:
    """The first files that together take at most this many seconds, and at most ``FILES_AT_ONCE`` of them. A file of
    unknown duration counts as one second.
    """
    found: list[str] = []
    for file in files:
        takes = expected.get(file, 1.0)
        if takes <= seconds and len(found) < FILES_AT_ONCE:
            found.append(file)
            seconds -= takes
    return found


def main() -> int:
    """Run the checks and the chosen tests. The exit status is 0 if nothing failed."""
    began = time.monotonic()
    failed = checks.main() != 0
    ends = max(began + SECONDS, time.monotonic() + LEAST_SECONDS_OF_TESTS)
    files = chosen(changed_files())
    expected = {file: times.get("wall", 1.0) for file, times in read_record().files.items()}
    left = files
    while now := in_time(left, expected, ends - time.monotonic()):
        left = [file for file in left if file not in now]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgresql", *now]
        # Pytest's exit status 5: none of these files has a test that runs without PostgreSQL.
        failed |= subprocess.run(command, check=False).returncode not in {0, 5}
    print(f"{len(files) - len(left)} of the {len(files)} test files that the change can affect were run, on SQLite.")
    if left:
        print(f"Left to make test-all, because they do not fit into {SECONDS:.0f} seconds:")
        for folder, count in sorted(Counter(file.rpartition("/")[0] for file in left).items()):
            print(f"  {count:3} in {folder}")
    print("Also left to make test-all:", ", ".join(f"tests/{folder}" for folder in LEFT_TO_THE_SUITE))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
