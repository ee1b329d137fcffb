"""The tests that a change can have broken, for people: ``python -m checks.quick``.

Changed is what differs from ``main`` or is not committed. A test file is chosen when its imports reach a changed module; what starts
whole programs or needs a browser, another engine or another server is left to ``make test``. After 90 seconds no further file starts, and
what was left out is counted by folder.
"""

import ast
import functools
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

SECONDS = 90.0
FILES_AT_ONCE = 6
LEFT_TO_THE_SUITE = ("world", "attack", "witnesses", "journeys", "pages", "soak", "tour", "bench", "deploy")


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


def imports(file: Path, known: AbstractSet[str]) -> set[str]:
    """The modules that this one imports, also within its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # modules that are imported, or patched, by name
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


def main() -> int:
    """Exit status 0 when nothing that ran failed."""
    files = chosen(changed_files())
    began, failed = time.monotonic(), False
    left = files
    while left and time.monotonic() - began < SECONDS:
        now, left = left[:FILES_AT_ONCE], left[FILES_AT_ONCE:]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgresql", *now]
        # 5: of these files nothing is left without PostgreSQL.
        failed |= subprocess.run(command, check=False).returncode not in {0, 5}
    print(f"{len(files) - len(left)} of {len(files)} test files that the change reaches were run, on SQLite.")
    if left:
        print(f"Left out after {SECONDS:.0f} seconds, for make test:")
        for folder, count in sorted(Counter(file.rpartition("/")[0] for file in left).items()):
            print(f"  {count:3} in {folder}")
    print("Also left to make test:", ", ".join(f"tests/{folder}" for folder in LEFT_TO_THE_SUITE))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
