"""Message catalogues: ``python -m checks.messages`` extracts the messages and updates every language of each server.

A template (``openmeet.pot``) contains no file names or line numbers and is sorted, so that moving code does not change
it.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import jinja2
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has a catalogue. The domain of the catalogue is the name of its package."""

    domain: str
    name: str

    @property
    def sources(self) -> Path:
        return Path("src") / self.domain

    @property
    def locales(self) -> Path:
        return self.sources / "i18n" / "locale"

    @property
    def template(self) -> Path:
        return self.locales / f"{self.domain}.pot"

    @property
    def languages(self) -> list[Path]:
        return sorted(self.locales.glob(f"*/LC_MESSAGES/{self.domain}.po"))


SERVERS: Final = (Server("openmeet", "OpenMeet"), Server("aurora_locus", "Aurora Locus"))

KEYWORDS: Final = {
    "_": None,
    "gettext": None,
    "lazy": None,
    "gettext_noop": None,
    "mark": None,
    "ngettext": (1, 2),
    "plural": (1, 2),
    "pgettext": ((1, "c"), 2),
    "plazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "localizable": None,
}
_OPTIONS: Final = {
    "silent": "false",
    "trimmed": "true",
    "newstyle_gettext": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
}
# Parsing a Python file takes much longer than checking that it contains no messages.
_CALLS: Final = re.compile(rb"\b(?:" + "|".join(KEYWORDS).encode() + rb")\(")
# Headers of a language's file that differ between runs or contain no information.
_CHANGING_HEADERS: Final = re.compile(
    rb'^"(?:POT-Creation-Date|PO-Revision-Date|Report-Msgid-Bugs-To|Generated-By): [^\n]*\n', re.MULTILINE
)


def extracted(server: Server) -> Catalog:
    """All messages in a server's sources. Raises jinja2.TemplateSyntaxError for a template that cannot be parsed."""
    catalog = Catalog(
        project=server.name, charset="utf-8", header_comment=f"# Messages of {server.name}: made by make messages."
    )
    for message, context, comments in _messages(server.sources):
        catalog.add(message, context=context, auto_comments=comments)
    return catalog


def _messages(sources: Path) -> Iterator[tuple[str | tuple[str, ...], str | None, list[str]]]:
    for path in files(sources):
        yield from messages_of(path, path.read_bytes())


def files(sources: Path) -> Iterator[Path]:
    """Modules and templates that can contain messages."""
    for path in sorted(sources.rglob("*")):
        if path.suffix == ".py" or (path.parent.name == "templates" and path.suffix in {".html", ".txt", ".jinja"}):
            yield path


def messages_of(path: Path, source: bytes) -> Iterator[tuple[str | tuple[str, ...], str | None, list[str]]]:
    """Each message of one file, with its context and the comments for translators."""
    is_module = path.suffix == ".py"
    if is_module and not _CALLS.search(source):
        return
    for _, message, comments, context in extract(
        "python" if is_module else "jinja2",
        BytesIO(source),
        keywords=KEYWORDS,
        comment_tags=("For translators:",),
        options={} if is_module else _OPTIONS,
        strip_comment_tags=True,
    ):
        yield message, context, comments


def written(catalog: Catalog) -> bytes:
    """The text of a catalogue file, sorted and without dates and locations, which would change between runs."""
    made = BytesIO()
    omit_header = catalog.locale is None
    write_po(
        made, catalog, no_location=True, sort_output=True, omit_header=omit_header, width=120, ignore_obsolete=True
    )
    return _CHANGING_HEADERS.sub(b"", made.getvalue())


def _updated(path: Path, catalog: Catalog) -> bytes:
    """The file of a language, updated with the current messages of the sources. New messages have no translation yet.

    The file of a region, such as ``en_US``, keeps only the messages that it writes differently.
    """
    locale = path.parent.parent.name
    with path.open("rb") as file:
        known = read_po(file, locale=locale)
    known.update(catalog, no_fuzzy_matching=True)
    if "_" in locale:
        for message in list(known):
            if message.id and not any(message.string or ()):
                known.delete(message.id, message.context)
    return written(known)


def _fresh() -> dict[Path, bytes]:
    """The up-to-date content of each file."""
    fresh = {}
    for server in SERVERS:
        catalog = extracted(server)
        fresh[server.template] = written(catalog)
        fresh |= {path: _updated(path, catalog) for path in server.languages}
    return fresh


def problems() -> list[str]:
    """One sentence per outdated file."""
    try:
        fresh = _fresh()
    except jinja2.TemplateSyntaxError as wrong:
        return [f"{wrong.filename}:{wrong.lineno}: {wrong.message}"]
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_bytes() != text]
    return [f"{path} is stale: run make messages" for path in stale]


def main() -> int:
    """Write the templates and update the catalogue of every language."""
    if sys.argv[1:] == ["--check"]:
        found = problems()
        print("\n".join(found))
        return 1 if found else 0
    for path, text in _fresh().items():
        path.write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
