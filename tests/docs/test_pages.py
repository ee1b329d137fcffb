"""The links, commands and files that the documents mention exist."""

import functools
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from programs import cli
from tests.docs.tables import DOCS, bare, rows

ROOT = DOCS.parent
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^):#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    missing = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in anchors((page.parent / target).resolve() if target else page)
    ]
    assert missing == []


@functools.cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = [LINK.sub(r"\1", heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """The make targets and openmeet commands that a page names exist."""
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\s*|\$ |&& )make ([a-z-]+)", text, re.MULTILINE)) <= targets
    commands = set(re.findall(r"(?:`|bin/|\$ |^)openmeet ([a-z][a-z-]+)", text, re.MULTILINE))
    assert commands <= {*cli.ROLES, *cli.NOUNS}


# A line of a shell, or one of its commands; and the targets of make that pass on options.
_COMMAND = re.compile(r"(?:^|[ (;/$])openmeet (?=[a-z])([^|<>&;()#`]*)")
_BY_MAKE = re.compile(r'\bmake (up|cluster) ARGS="([^"]*)"')


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of every openmeet command in code, without ``openmeet``."""
    joined = re.sub(r"\\\n\s*", " ", text)
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", joined, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", joined, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^ {4}(.*)", prose, re.MULTILINE)
    lines += [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for line in lines:
        for words in [*_COMMAND.findall(line), *(" ".join(found) for found in _BY_MAKE.findall(line))]:
            yield words.split()


def unknown_in(words: list[str]) -> list[str]:
    """The verb and the options of a command that it does not have."""
    table = {**cli.ROLES, **cli.NOUNS}
    name, *rest = words
    if name not in table:  # a sentence of a program, such as “openmeet web: …”
        return []
    verbs = cli.VERBS.get(name, {})
    if rest and re.fullmatch("[a-z][a-z-]*", rest[0]) and verbs:
        if rest[0] not in verbs:
            return rest[:1]
        table, (name, *rest) = dict(verbs), rest
    command: Any = typer.main.get_command(importlib.import_module(table[name][0]).app)
    if hasattr(command, "commands"):
        if not rest or not re.fullmatch("[a-z][a-z-]*", rest[0]):
            return []
        if rest[0] not in command.commands:
            return rest[:1]
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "decisions"], ids=lambda page: page.name
)
def test_options_exist(page: Path) -> None:
    """Every verb and option of an openmeet command that a page shows exists."""
    shown = [(words, unknown_in(words)) for words in commands_in(page.read_text(encoding="utf-8"))]
    assert [(" ".join(words), unknown) for words, unknown in shown if unknown] == []


def test_commands_are_found_in_code() -> None:
    text = "Run `openmeet pds\nadopt F --dryrun`.\n\n```\n$ A=1 openmeet sync reed DID \\\n --tenant x\n```\n"
    assert [unknown_in(words) for words in commands_in(text)] == [["reed"], ["--dryrun"]]


# Files that an example adds or that a command writes.
NOT_HERE = frozenset(
    {
        "aurora_locus/xrpc/com_atproto_sync/notify_of_update.py",
        "checks/durations.json",
        "emails/notifications/templates/more_places.jinja",
        "migrations/versions/0003_doors_open.py",
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
