"""The catalogue of messages: ``python -m checks.messages`` extracts them and updates every language.

The template (``openmeet.pot``) names no files or lines and is sorted, so that moving code does not change it.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import jinja2
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file, extract_python
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

SOURCES: Final = Path("src/openmeet")
LOCALES: Final = SOURCES / "i18n" / "locale"
TEMPLATE: Final = LOCALES / "openmeet.pot"

KEYWORDS: Final = {
    "_": None,
    "gettext": None,
    "lazy": None,
    "mark": None,
    "ngettext": (1, 2),
    "plural": (1, 2),
    "pgettext": ((1, "c"), 2),
    "plazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_OPTIONS: Final = {
    "silent": "false",
    "trimmed": "true",
    "newstyle_gettext": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
}
# Reading a Python file for its messages takes much longer than seeing that it has none.
_CALLS: Final = re.compile(rb"\b(?:" + "|".join(KEYWORDS).encode() + rb")\(")
# Headers of a language's file that differ from run to run, or say nothing.
_CHANGING_HEADERS: Final = re.compile(
    rb'^"(?:POT-Creation-Date|PO-Revision-Date|Report-Msgid-Bugs-To|Generated-By): [^\n]*\n', re.MULTILINE
)


def extracted() -> Catalog:
    """Every message of the sources. Raises jinja2.TemplateSyntaxError for a template that cannot be read."""
    catalog = Catalog(
        project="OpenMeet", charset="utf-8", header_comment="# Messages of OpenMeet: made by make messages."
    )
    for message, context, comments in _messages():
        catalog.add(message, context=context, auto_comments=comments)
    return catalog


def _messages() -> Iterator[tuple[str | tuple[str, ...], str | None, list[str]]]:
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix == ".py":
            if not _CALLS.search(path.read_bytes()):
                continue
            method = extract_python
            options = {}
        elif path.parent.name == "templates" and path.suffix in {".html", ".txt", ".jinja"}:
            method = babel_extract
            options = _OPTIONS
        else:
            continue
        for _, message, comments, context in extract_from_file(
            method,
            path,
            keywords=KEYWORDS,
            comment_tags=("For translators:",),
            options=options,
            strip_comment_tags=True,
        ):
            yield message, context, comments


def written(catalog: Catalog) -> bytes:
    """The catalogue as a file: sorted, without dates and places, which would change with every run."""
    made = BytesIO()
    omit_header = catalog.locale is None
    write_po(
        made, catalog, no_location=True, sort_output=True, omit_header=omit_header, width=120, ignore_obsolete=True
    )
    return _CHANGING_HEADERS.sub(b"", made.getvalue())


def _updated(path: Path, catalog: Catalog) -> bytes:
    """The file of a language with the messages that the sources have now; what is new has no translation yet."""
    with path.open("rb") as file:
        known = read_po(file, locale=path.parent.parent.name)
    known.update(catalog, no_fuzzy_matching=True)
    return written(known)


def _languages() -> list[Path]:
    return sorted(LOCALES.glob("*/LC_MESSAGES/openmeet.po"))


def problems() -> list[str]:
    """What is stale, one sentence each."""
    try:
        catalog = extracted()
    except jinja2.TemplateSyntaxError as wrong:
        return [f"{wrong.filename}:{wrong.lineno}: {wrong.message}"]
    fresh = {TEMPLATE: written(catalog), **{path: _updated(path, catalog) for path in _languages()}}
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_bytes() != text]
    return [f"{path} is stale: run make messages" for path in stale]


def main() -> int:
    """Write the template and update the catalogue of every language."""
    if sys.argv[1:] == ["--check"]:
        found = problems()
        print("\n".join(found))
        return 1 if found else 0
    catalog = extracted()
    TEMPLATE.write_bytes(written(catalog))
    for path in _languages():
        path.write_bytes(_updated(path, catalog))
    return 0


if __name__ == "__main__":
    sys.exit(main())
