"""The tables “Where a change goes” of docs/layout.md are short, and every path and name in them exists."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.docs.tables import DOCS, rows_below, section

ROOT = DOCS.parent
SOURCES = ("src/openmeet", "src", "")
# The longest cells, in characters without links. The cell of the files has one line per case.
MAX_CHANGE, MAX_FILES, MAX_TESTS = 90, 1000, 100

SPAN = re.compile(r"`([^`]+)`")
BRACES = re.compile(r"`([^`{]*)\{([^`}]+)\}([^`]*)`")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
PATH = re.compile(r"[\w.-]+(?:/[\w.<>-]+)*/?")
# A path and the parentheses after it, and the name of something in a path.
AFTER_PATH = re.compile(r"`([\w./<>-]+(?:/|\.\w+))` \(([^()]*(?:\(\)[^()]*)*)\)")
NAME_IN_PATH = re.compile(r"`(\w+)` (?:in|of) `([\w./-]+)`")
ENDINGS = frozenset({".py", ".html", ".jinja", ".css", ".js", ".json", ".po", ".txt", ".yml", ".example"})
# Placeholders for a file that the change adds, or whose name it chooses.
CHOSEN = frozenset({"api.py", "model.py", "notify.py", "pages.py", "queries.py", "table.py", "tasks.py"})


@dataclass(frozen=True)
class Change:
    """A row. ``area`` is its heading."""

    area: str
    change: str
    files: str
    tests: str


def changes() -> list[Change]:
    return [Change(area, *cells) for area, cells in rows_below("layout.md", "Where a change goes")]


CHANGES = changes()
BY_NAME = pytest.mark.parametrize("change", CHANGES, ids=lambda change: LINK.sub(r"\1", change.change))


def expanded(cells: str) -> str:
    """``web/{a,b}.py`` stands for ``web/a.py`` and ``web/b.py``, as in a shell."""
    return BRACES.sub(lambda found: ", ".join(f"`{found[1]}{name}{found[3]}`" for name in found[2].split(",")), cells)


def is_path(span: str) -> bool:
    return bool(PATH.fullmatch(span)) and (span.endswith("/") or Path(span).suffix in ENDINGS)


def named_files(cells: str, area: str) -> Iterator[tuple[str, Path | None]]:
    """Each path in the cells, and what it is in the tree; None if it does not exist."""
    sources = ("src/aurora_locus", "src", "") if area == "The PDS" else SOURCES
    for span in SPAN.findall(expanded(cells)):
        if is_path(span) and "<" not in span:
            yield span, next((ROOT / one / span for one in sources if (ROOT / one / span).exists()), None)


@cache
def text_of(path: Path) -> str:
    files = [one for one in path.rglob("*") if one.suffix in ENDINGS] if path.is_dir() else [path]
    return "\n".join(one.read_text(encoding="utf-8") for one in files)


@BY_NAME
def test_row_is_short(change: Change) -> None:
    lengths = [len(LINK.sub(r"\1", cell)) for cell in (change.change, change.files, change.tests)]
    assert all(length <= most for length, most in zip(lengths, (MAX_CHANGE, MAX_FILES, MAX_TESTS), strict=True)), (
        lengths
    )
    assert change.files, "a change is made somewhere"
    assert change.tests, "a change has a test"


@BY_NAME
def test_files_of_row_exist(change: Change) -> None:
    found = named_files(change.files, change.area)
    assert [path for path, place in found if place is None and path not in CHOSEN] == []


@BY_NAME
def test_names_of_row_are_in_its_files(change: Change) -> None:
    """A name in parentheses is in the path directly before them, “`name` in `path`” is in this path, and any other name
    is in one of the row’s files. So is a name after a file that the change adds.
    """
    everywhere = places_of(change.files, change.area)
    claims = [("", name) for name in names_in(AFTER_PATH.sub("", change.files))]
    claims += [(path, name) for path, words in AFTER_PATH.findall(change.files) for name in names_in(words)]
    claims += [(path, name) for name, path in NAME_IN_PATH.findall(change.files)]
    places = {path: places_of(f"`{path}`", change.area) or everywhere for path, _ in claims}
    assert [(path, name) for path, name in claims if not is_in(name, places[path])] == []


def places_of(cells: str, area: str) -> list[Path]:
    return [place for _, place in named_files(cells, area) if place is not None]


def names_in(text: str) -> list[str]:
    return [span.rstrip("=()") for span in SPAN.findall(text) if re.fullmatch(r"\w+(?:=|\(\))?", span)]


def is_in(name: str, places: list[Path]) -> bool:
    return name in CALLED or any(re.search(rf"\b{name}\b", text_of(place)) for place in places)


# Functions that a change calls, wherever the change is.
CALLED = frozenset({"notify", "enqueue_email", "enqueue_deliveries", "Limit"})


@BY_NAME
def test_rows_that_a_row_names_exist(change: Change) -> None:
    """“the row “…”” quotes the beginning of another row."""
    changes_of_others = [LINK.sub(r"\1", other.change) for other in CHANGES if other is not change]
    named = re.findall(r"\brow “([^”]+)”", change.files) + re.findall(r"\brow \[([^\]]+)\]", change.files)
    assert [name for name in named if not any(other.startswith(name) for other in changes_of_others)] == []


@BY_NAME
def test_tests_of_row_exist(change: Change) -> None:
    own = "tests/aurora_locus" if change.area == "The PDS" else "tests/openmeet"
    named = SPAN.findall(change.tests)
    assert [path for path in named if not any((ROOT / place / path).exists() for place in (own, ""))] == []


BOLD = re.compile(r"\*\*(\w+)\*\*(:?)")


def test_bold_words_of_rows_are_in_the_list() -> None:
    """A bold word stands for the files of its line in “What every change touches”. Only these lines have a colon."""
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^### What every change touches\n(.*?)^### ", page, re.MULTILINE | re.DOTALL)
    listed = {word.lower() for word in re.findall(r"^- \*\*(\w+)\*\*:", lines, re.MULTILINE)}
    used = {match for change in CHANGES for match in BOLD.findall(change.files)}
    assert {word.lower() for word, _ in used} <= listed
    assert [word for word, colon in used if colon] == []


def anchors(name: str, level: str) -> list[str]:
    """The anchors of the headings of one level in ``docs/<name>``."""
    page = (DOCS / name).read_text(encoding="utf-8")
    titles = re.findall(rf"^{level} (.+)$", page, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def test_the_page_begins_with_a_list_of_its_sections() -> None:
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(#([\w-]+)\)", page.partition("## The tree")[0])
    general = ["how-to-read-a-row", "what-every-change-touches", "the-tree"]
    assert [one for one in listed if one not in general] == [
        one for one in anchors("layout.md", "###") if one not in general
    ]


def common_changes() -> list[list[str]]:
    """The rows of the short table, which is the first of its section."""
    return section("layout.md", "Where a change goes")[: -len(CHANGES)]


def test_files_of_common_changes_exist() -> None:
    assert len(common_changes()) == 10
    for change, files, _ in common_changes():
        assert [path for path, place in named_files(files, "") if place is None] == [], change


def test_steps_of_common_changes_name_the_same_files() -> None:
    """A file of the short table is also in the section of docs/changing.md that its row links to."""
    page = (DOCS / "changing.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    sections = dict(zip(anchors("changing.md", "##"), parts[2::2], strict=True))
    for change, files, _ in common_changes():
        for anchor in re.findall(r"\(changing\.md#([\w-]+)\)", change):
            named = [path for path, _ in named_files(files, "")]
            named += [f"docs/{target}" for _, target in LINK.findall(files)]
            assert [path for path in named if path not in sections[anchor]] == [], change
