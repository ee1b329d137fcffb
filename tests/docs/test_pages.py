"""The links, commands and files that the documents mention exist."""

import functools
import re
from pathlib import Path

import pytest

from programs import cli
from tests.docs.tables import DOCS, bare, rows

ROOT = DOCS.parent
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """The make targets and openmeet commands that a page names exist."""
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\s*|\$ |&& )make ([a-z-]+)", text, re.MULTILINE)) <= targets
    commands = set(re.findall(r"(?:`|bin/|\$ |^)openmeet ([a-z][a-z-]+)", text, re.MULTILINE))
    assert commands <= {*cli.ROLES, *cli.NOUNS}


# Files that a walk-through adds or that a command writes.
NOT_HERE = frozenset(
    {
        "aurora_locus/xrpc/com_atproto_sync/notify_of_update.py",
        "checks/durations.json",
        "emails/notifications/templates/more_places.jinja",
        "migrations/versions/0003_doors_open.py",
        "migrations/versions/0003_past_dates.py",
        "openmeet/places-added.db",
        "openmeet/sealing.key",
        "var/settings.toml",
    }
)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "decisions"], ids=lambda page: page.name
)
def test_files_exist(page: Path) -> None:
    """The files that a page names with at least one folder exist. Decisions are exempt, because they keep the file
    names of the time when they were made.
    """
    named = set(re.findall(r"`([A-Za-z_][\w.-]*/[\w./-]*\w\.[a-z]+)(?:::\w+)?`", page.read_text(encoding="utf-8")))
    assert [
        one for one in sorted(named - NOT_HERE) if not any(f"/{path}".endswith(f"/{one}") for path in files())
    ] == []


@functools.cache
def files() -> tuple[str, ...]:
    """Every file of the repository below a folder, by its path."""
    tops = [ROOT / top for top in ("src", "tests", "checks", "deploy", "docs", "requirements", ".ci")]
    return tuple(
        path.relative_to(ROOT).as_posix()
        for top in tops
        for path in top.rglob("*.*")
        if "node_modules" not in path.parts
    )


def test_every_document_is_reached_from_the_readme() -> None:
    """Every document can be reached from the README by links. Decisions are in one folder, which is linked."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / target).resolve() for target in targets if "://" not in target]
    unreached = (
        {page for page in PAGES if page.parent.name != "decisions"}
        - reached
        - {DOCS / "soak.md", DOCS / "failing-cases.md"}
    )
    assert unreached == set()


def test_places_of_the_glossary_exist() -> None:
    places = [bare(place) for _, _, place in rows("glossary.md") if place != "–"]
    assert [place for place in places if not (ROOT / "src" / place).exists()] == []


def test_decisions_are_numbered_without_gaps_and_dated() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [one.name[:4] for one in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for one in decisions:
        title = one.read_text(encoding="utf-8").splitlines()[0]
        assert re.fullmatch(rf"# {one.name[:4]} .+ \(\d{{4}}-\d\d-\d\d\)", title), title
