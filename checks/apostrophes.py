"""Find straight apostrophes in text that people read: pages, e-mails, and sentences in the code that pages show.

An apostrophe is within a word (``group's``, ``isn't``) or after a plural (``authors'``) that no quotation mark opened,
which distinguishes it from SQL string literals. Text for programs is not checked: errors of the protocol and of OAuth,
whose descriptions are ASCII (RFC 6749, section 5.2), and output to a terminal.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# Packages whose strings appear on pages and in e-mails. In all other packages, only the templates are checked.
ROOMS = ("src/openmeet/", "src/aurora_locus/web/account_pages/", "src/aurora_locus/web/administration_pages/")
# Migrations are not changed any more.
BUT = ("src/openmeet/migrations/", "src/openmeet/network/firehose/migrations/")

_STRAIGHT = re.compile(r"(?<=[^\W_])'(?:s|t|re|ve|ll|d|m)\b|(?<=[^\W_]s)'(?!\w)")
# A quotation mark that does not follow a letter opens a quoted string: an SQL literal or an argument in a template.
_QUOTED = re.compile(r"(?<!\w)'[^'\n]*'")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


def places(text: str) -> list[int]:
    """The positions of straight apostrophes in a text."""
    shown = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    return [found.start() for found in _STRAIGHT.finditer(shown)]


def in_template(text: str) -> list[int]:
    """Line numbers of straight apostrophes in a template, except in its comments."""
    shown = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)
    return [shown.count("\n", 0, at) + 1 for at in places(shown)]


def in_python(text: str) -> list[int]:
    """Line numbers of strings with a straight apostrophe in a module, except docstrings."""
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
    """Yield ``path:line`` of each straight apostrophe."""
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
