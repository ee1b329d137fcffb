"""Finds texts of templates and of rendered pages that are not marked for translation."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

import jinja2
from babel.dates import get_day_names, get_month_names
from jinja2 import nodes

# Elements that contain data, of people or for programs.
_DATA: Final = frozenset({"code", "datalist", "output", "pre", "script", "style", "svg", "textarea", "time"})
_INLINE: Final = frozenset(
    {"a", "abbr", "b", "bdi", "br", "code", "del", "em", "i", "ins", "output", "s", "small", "span", "strong", "time"}
)
# Attributes that are shown or read aloud.
_SHOWN: Final = frozenset({"alt", "aria-label", "placeholder", "title"})

_WORD: Final = re.compile(r"[^\W\d_]{2,}")
# In templates, English quotation marks, too: other languages have others.
_WORD_OR_QUOTE: Final = re.compile(rf"{_WORD.pattern}|[“”]")
# Text that is not translated: dates and numbers are formatted by locale; addresses, zones and the site's name stay as
# they are.
_DATES: Final = "|".join(
    word
    for width in ("wide", "abbreviated")
    for names in (get_day_names, get_month_names)
    for word in names(width).values()
)
_ZONES: Final = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific"
_NO_MESSAGE: Final = re.compile(
    rf"\b(?:https?|wss|webcal|at)://\S*|\bdid:\S+|\S+@\S+|^(?:{_ZONES})/.*|\b(?:{_DATES})(?![^\W\d_])|\b(?:UTC|OpenMeet)\b"
)

_MESSAGES: Final = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})
# A literal in a template that looks like words, not like a value.
_LIKE_WORDS: Final = re.compile(r"[A-Z“][^\W\d_]|[^\W\d_]+ [^\W\d_]")
# Blocks and macros that write attributes.
_ATTRIBUTES: Final = frozenset({"width", "described", "said_of", "keep"})
# Placeholder for an expression.
_HOLE: Final = "0"


class _Reader(HTMLParser):
    """Collects the text of each block as one piece, because a message can contain tags."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = [""]
        self._data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DATA:
            self._data.append(tag)
        if tag not in _INLINE:
            self.pieces.append("")
        for name, value in attrs:
            if name in _SHOWN and value and not self._data:
                self.pieces.insert(-1, value)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _INLINE:
            self.pieces.append("")
        if self._data and tag == self._data[-1]:
            self._data.pop()

    def handle_data(self, data: str) -> None:
        if not self._data:
            self.pieces[-1] += data


def _pieces(html: str) -> list[str]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.pieces


def _outside(text: str) -> str:
    """The text outside the marks. Marks can be nested: a parameter can itself be a message."""
    depth, kept = 0, []
    for letter in text:
        if letter == "]":
            depth = max(depth - 1, 0)
        kept.append(" " if depth or letter in "[]" else letter)
        if letter == "[":
            depth += 1
    return " ".join("".join(kept).split())


# Text that is marked as English on every page, such as the documentation of the API.
_ENGLISH: Final = re.compile(r'<(tbody|span)\b[^>]* lang="en"[^>]*>.*?</\1>', re.DOTALL)
# The initial of a name that replaces a missing picture.
_INITIAL: Final = re.compile(r'(<span class="avatar[^>]*>)[^<]*')


def untranslated_texts(page: str, content: re.Pattern[str]) -> set[str]:
    """The texts of a page in the pseudo-locale that have words outside the marks. ``content``: texts that people wrote."""
    texts = (_outside(piece) for piece in _pieces(_INITIAL.sub(r"\1", _ENGLISH.sub("", page))))
    return {text for text in texts if _WORD.search(_NO_MESSAGE.sub("", content.sub("", text)))}


def unmarked_texts(template: nodes.Template) -> set[str]:
    """The texts and literals of a template that are not in any message."""
    html = "".join(_texts(template))
    found = {" ".join(piece.split()) for piece in _pieces(html) if _WORD_OR_QUOTE.search(_NO_MESSAGE.sub("", piece))}
    return found | {text for text in _literals(template) if _LIKE_WORDS.search(text)}


def _texts(node: nodes.Node) -> Iterator[str]:
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.TemplateData):
            yield child.data
        elif isinstance(child, nodes.Block | nodes.Macro) and child.name in _ATTRIBUTES:
            continue
        elif isinstance(child, nodes.Expr):
            yield _HOLE
        else:
            yield from _texts(child)


def _literals(node: nodes.Node) -> Iterator[str]:
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Call) and isinstance(child.node, nodes.Name) and child.node.name in _MESSAGES:
            for param in child.kwargs:
                yield from _literals(param)
        elif isinstance(child, nodes.Compare):
            continue
        elif isinstance(child, nodes.Const) and isinstance(child.value, str):
            yield child.value
        else:
            yield from _literals(child)


def parsed_templates(templates: jinja2.Environment) -> Iterator[tuple[str, nodes.Template]]:
    """The parsed templates of the pages, by name."""
    assert templates.loader is not None
    for name in templates.list_templates(extensions=["html"]):
        if not name.startswith("emails/"):
            yield name, templates.parse(templates.loader.get_source(templates, name)[0], name)
