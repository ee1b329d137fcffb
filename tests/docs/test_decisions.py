"""The decisions name code that exists.

A decision keeps its history. Names that are gone stand in its part **Former names**, with what became of them. The options
in its part **Considered** never existed.
"""

import functools
import re
from pathlib import Path
from typing import Final

from checks.house import ROOT, tracked

from tests.docs.tables import DOCS

NAME = re.compile(r"`([^`\n]+)`")
OF_CODE = ("src/", "checks/", "tests/", "pyproject.toml", ".importlinter")
OTHER_FILES = (".html", ".jinja", ".po", ".pot", ".txt", ".png", ".woff2", ".svg", ".css")
# In a path, `…` stands for any part of a name.
PATH = re.compile(r"[\w.…]+(/[\w.…]+)+/?|\w+\.(py|md|sql|toml|json|txt)")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# A name of one word is code if it has an underscore, a capital inside or parentheses. Others are English words.
WORD = re.compile(r"(?=\w*_|\w*[a-z][A-Z]|\w*\(|[A-Z][a-z])[A-Za-z]\w*(\(.*\))?")
LOCALE = re.compile(r"[a-z]{2}_[A-Z]{2}")
DOCSTRING = re.compile(r'(?:\A|:\n)\s*"""(?:.*?)"""', re.DOTALL)

# Names of others, or of what exists only at run time.
NOT_IN_CODE: Final = {
    "checks.blobs": "a value of the response of /health/ready",
    "doorNote": "made from door_note",
    "auth_time": "a claim of OpenID Connect",
    "publications_of_owners_pkey": "PostgreSQL made this name from the table’s",
    "mara.example.social": "somebody’s handle",
    "var/flaky/": "the test runner creates it",
}


def decisions() -> list[Path]:
    return sorted((DOCS / "decisions").glob("*.md"))


def parts(text: str) -> list[str]:
    """The parts of a decision. Each begins with a paragraph in bold, as ``**Context.**``."""
    return re.split(r"^(?=\*\*)", text, flags=re.MULTILINE)


def former_names(text: str) -> set[str]:
    """The names of a decision’s part **Former names**. What became of each is in parentheses after it."""
    found = [one for one in parts(text) if one.startswith("**Former names.**")]
    return {name for one in found for name in NAME.findall(re.sub(r"\(.*?\)", "", one, flags=re.DOTALL))}


def names(text: str) -> set[str]:
    """The names of code in a decision, without those that never existed or are marked as former."""
    kept = [one for one in parts(text) if not one.startswith("**Considered.**")]
    return {name for one in kept for name in NAME.findall(one)} - former_names(text)


@functools.cache
def files() -> frozenset[str]:
    return frozenset(one.relative_to(ROOT).as_posix() for one in tracked())


@functools.cache
def ends_of_paths() -> frozenset[str]:
    """Every path of a file or folder, and each of its ends: ``a/b/c``, ``b/c`` and ``c``; modules also without .py."""
    found: set[str] = set()
    for file in files():
        parts = file.removesuffix(".py").split("/")
        found |= {"/".join(parts[start:end]) for end in range(len(parts) + 1) for start in range(end)}
        found |= {"/".join(file.split("/")[start:]) for start in range(len(parts))}
    return frozenset(found)


def words_of(text: str) -> frozenset[str]:
    """The words of a text, also joined by dots, as in ``com.atproto.sync.getRecord``."""
    joined = set(re.findall(r"\w+(?:\.\w+)*", text))
    return frozenset(joined.union(*(one.split(".") for one in joined)))


@functools.cache
def words_of_files() -> dict[str, frozenset[str]]:
    """The words of each file of code, without docstrings, and those of the ledgers of settings and metrics."""
    found = {}
    for file in files():
        if file.startswith(OF_CODE) and not file.endswith(OTHER_FILES) and "/test_" not in file:
            text = (ROOT / file).read_text(encoding="utf-8")
            found[file] = words_of(DOCSTRING.sub("", text))
    for page in ("docs/settings.md", "docs/metrics.md"):
        found[page] = words_of((ROOT / page).read_text(encoding="utf-8"))
    return found


@functools.cache
def words() -> frozenset[str]:
    return frozenset().union(*words_of_files().values())


def is_path(name: str) -> bool:
    pattern = name.rstrip("/")
    if "…" not in pattern:
        return pattern in ends_of_paths()
    matching = re.compile(re.escape(pattern).replace("…", r"[^/]*"))
    return any(matching.fullmatch(one) for one in ends_of_paths())


def is_dotted(name: str) -> bool:
    """True for a function of a module, a module of a package, an attribute of a class or a column of a table, and for
    the name of something else that code contains as it is.
    """
    *above, owner, last = name.split(".")
    if f"{owner}/{last}" in ends_of_paths() or {name, f"{owner}.{last}"} & words():
        return True
    return all(one in ends_of_paths() or one in words() for one in above) and any(
        last in found and (owner in found if is_class_or_table(owner, file) else f"/{owner}.py" in file)
        for file, found in words_of_files().items()
    )


def is_class_or_table(owner: str, file: str) -> bool:
    return owner[0].isupper() or "/migrations/" in file


def exists(name: str) -> bool:
    if name in NOT_IN_CODE or LOCALE.fullmatch(name):
        return True
    if PATH.fullmatch(name):
        return is_path(name)
    if DOTTED.fullmatch(name):
        return is_dotted(name)
    return not WORD.fullmatch(name) or name.partition("(")[0] in words()


def test_decisions_name_code_that_exists() -> None:
    missing = {
        one.name[:4]: sorted(name for name in names(one.read_text("utf-8")) if not exists(name)) for one in decisions()
    }
    assert {number: gone for number, gone in missing.items() if gone} == {}


def test_former_names_no_longer_exist() -> None:
    """A name that came back is not former, and each stands in the decision’s text."""
    for one in decisions():
        text = one.read_text("utf-8")
        former = former_names(text)
        assert {name for name in former if exists(name) or text.count(f"`{name}`") < 2} == set(), one.name


def test_a_missing_name_is_found() -> None:
    gone = ("groundwork/outbox/nothing.py", "nothing_here.py", "jobs.not_a_function", "events.seeing", "NotAClass")
    here = (
        "groundwork/outbox/jobs.py",
        "jobs.py",
        "jobs.enqueue_again_selected",
        "enqueue_again_selected",
        "JobDelivery",
    )
    assert [exists(name) for name in (*gone, *here)] == [False] * 5 + [True] * 5
