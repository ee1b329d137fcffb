"""No rule of a stylesheet is for a class that nothing has."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import groundwork

SOURCES: Final = Path(groundwork.__file__).parent.parent

# Its page is still being made.
NOT_YET: Final = frozenset({"chat.css"})

_NO_SELECTOR: Final = re.compile(r"/\*.*?\*/|\{[^{}]*\}", re.DOTALL)
_CLASS: Final = re.compile(r"\.([A-Za-z][\w-]*)")
_WORD: Final = re.compile(r"[A-Za-z][\w-]*")
# The beginning of a class that a template or a function completes: kind-{{ kind }}, f"tone-{tone}", at-h{{ hour }}.
_BEGINNING: Final = re.compile(r"([A-Za-z][\w-]*-[a-z]?)\{")


def classes(stylesheet: str) -> set[str]:
    """The classes that a stylesheet has rules for."""
    return set(_CLASS.findall(_NO_SELECTOR.sub("{}", stylesheet)))


def unused(stylesheets: Mapping[str, str], sources: str) -> dict[str, set[str]]:
    """By stylesheet, those that no word of templates, scripts and modules names."""
    words, beginnings = set(_WORD.findall(sources)), tuple(set(_BEGINNING.findall(sources)))
    found = {
        path: {name for name in classes(text) - words if not name.startswith(beginnings)}
        for path, text in stylesheets.items()
    }
    return {path: names for path, names in found.items() if names}


def test_every_class_is_used() -> None:
    sources = "\n".join(
        file.read_text("utf-8") for file in SOURCES.rglob("*") if file.suffix in {".html", ".jinja", ".js", ".py"}
    )
    stylesheets = {str(file): file.read_text("utf-8") for file in SOURCES.rglob("*.css") if file.name not in NOT_YET}
    assert len(stylesheets) > 5
    assert unused(stylesheets, sources) == {}


def test_an_unused_class_is_found() -> None:
    stylesheet = ".card, .kind-a > p { color: red; } @media print { .gone.card { width: .5rem; } /* .old */ }"
    assert unused({"a.css": stylesheet}, '<p class="card kind-{{ kind }}">') == {"a.css": {"gone"}}
