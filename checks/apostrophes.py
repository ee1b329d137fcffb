"""Straight apostrophes in what people read: pages, letters, and the sentences that pages take from the code.

An apostrophe of language stands within a word (``group's``, ``isn't``) or behind a plural (``authors'``) that no quotation mark opened,
so that values of SQL are told apart from it. What programs read stays as their formats want it: failures of the protocol and of OAuth,
whose descriptions are ASCII (RFC 6749, 5.2), and what is written to a terminal.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# Rooms whose sentences end on pages and in letters; of the others only the templates do.
ROOMS = ("src/openmeet/", "src/aurora_locus/account_pages/", "src/aurora_locus/administration/pages/")
# What was migrated says what it said.
BUT = ("src/openmeet/migrations/",)

_STRAIGHT = re.compile(r"(?<=[^\W_])'(?:s|t|re|ve|ll|d|m)\b|(?<=[^\W_]s)'(?!\w)")
# What a quotation mark opens, behind no letter, it closes: a value of SQL, an argument in a template.
_QUOTED = re.compile(r"(?<!\w)'[^'\n]*'")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


def places(text: str) -> list[int]:
    """Where in a text straight apostrophes of language stand."""
    shown = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    return [found.start() for found in _STRAIGHT.finditer(shown)]


def in_template(text: str) -> list[int]:
    """Line numbers in a template, its comments aside."""
    shown = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)
    return [shown.count("\n", 0, at) + 1 for at in places(shown)]


def in_python(text: str) -> list[int]:
    """Line numbers of texts in a module that hold one; what documents the code is none of them."""
    tree = ast.parse(text)
    documents = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    return sorted(
        {
            one.lineno
            for one in ast.walk(tree)
            if isinstance(one, ast.Constant)
            and isinstance(one.value, str)
            and id(one) not in documents
            and places(one.value)
        }
    )


def found_in(root: Path) -> Iterator[str]:
    """``path:line`` of each."""
    for path in sorted((root / "src").rglob("*")):
        name = path.relative_to(root).as_posix()
        if "/templates/" in name and path.suffix in {".html", ".txt"}:
            lines = in_template(path.read_text())
        elif path.suffix == ".py" and name.startswith(ROOMS) and not name.startswith(BUT):
            lines = in_python(path.read_text())
        else:
            continue
        for line in lines:
            yield f"{name}:{line}"
