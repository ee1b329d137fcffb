"""Every class in a stylesheet is used, and every class that is used has a rule."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import groundwork

SOURCES: Final = Path(groundwork.__file__).parent.parent

# Stylesheets that only some pages load, and the folder of these pages.
OF_SOME_PAGES: Final = {"chat.css": "chat", "calendar.css": "calendar"}

_NO_SELECTOR: Final = re.compile(r"/\*.*?\*/|\{[^{}]*\}", re.DOTALL)
_CLASS: Final = re.compile(r"\.([A-Za-z][\w-]*)")
_ATTRIBUTE: Final = re.compile(r'class="([^"]*)"')
_WIDTH: Final = re.compile(r"{% block width %}([^{]*){% endblock %}")
# Includes parts of words that are joined with computed values.
_COMPUTED: Final = re.compile(r"[\w-]*\{[{%].*?[}%]\}[\w-]*")
_WORD: Final = re.compile(r"[A-Za-z][\w-]*")
_DEFINED: Final = re.compile(r"(--[\w-]+)\s*:")
_USED: Final = re.compile(r"var\((--[\w-]+)\)")
# The beginning of a class name that a template or a function completes: kind-{{ kind }}, f"tone-{tone}", at-h{{ hour
# }}.
_BEGINNING: Final = re.compile(r"([A-Za-z][\w-]*-[a-z]?)\{")

# A value of a shorthand, which can be a function with spaces in it.
_VALUE: Final = re.compile(r"(?:[^\s()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+")
_FOUR_SIDES: Final = re.compile(r"(?<![-\w])(margin|padding|inset|scroll-margin|scroll-padding): *([^;}]*[^;}\s])")
_CORNERS: Final = re.compile(r"(?<![-\w])border-radius: *([^;}]*[^;}\s])")
_SIDE: Final = re.compile(
    r"(?:^|[ ;{])(?:(?:margin|padding|border)-(?:left|right)\b|border-(?:top|bottom)-(?:left|right)-radius|(?:left|right)(?=: )"
    r"|(?:text-align|float|clear): *(?:left|right))"
)

_DARK: Final = re.compile(r"@media \(prefers-color-scheme: ?dark\) \{((?:[^{}]*\{[^{}]*\})*)\s*\}")
_BODY: Final = re.compile(r"\{([^{}]*)\}")
# A variable with a colour or a shadow, or a property that takes neither space nor part in the layout.
_ONLY_COLOUR: Final = re.compile(
    r"--[\w-]+: (?:0 \d+px \d+px )?(?:#[0-9a-f]{3,6}|rgb\([^()]*\))|(?:color|fill|stroke|filter|background-color): [^;]+"
)


def classes(stylesheet: str) -> set[str]:
    """The classes that a stylesheet has rules for."""
    return set(_CLASS.findall(_NO_SELECTOR.sub("{}", stylesheet)))


def unused(stylesheets: Mapping[str, str], sources: str) -> dict[str, set[str]]:
    """By stylesheet, the classes that appear in no template, script or module."""
    words, beginnings = set(_WORD.findall(sources)), tuple(set(_BEGINNING.findall(sources)))
    found = {
        path: {name for name in classes(text) - words if not name.startswith(beginnings)}
        for path, text in stylesheets.items()
    }
    return {path: names for path, names in found.items() if names}


def one_sided(stylesheet: str) -> list[str]:
    """Declarations that name the left or right side of the page, where right-to-left pages need the other one."""
    stylesheet = stylesheet.replace("!important", "")
    shorthands = (
        match[0]
        for match in _FOUR_SIDES.finditer(stylesheet)
        if len(sides := _VALUE.findall(match[2])) == 4 and sides[1] != sides[3]
    )
    corners = (
        match[0]
        for match in _CORNERS.finditer(stylesheet)
        if "/" not in match[1] and _differ_by_side(_VALUE.findall(match[1]))
    )
    return [*shorthands, *corners, *(match[0].strip(" ;{") for match in _SIDE.finditer(stylesheet))]


def _differ_by_side(corners: list[str]) -> bool:
    """Whether the radii of the left and the right corners differ: top left, top right, bottom right, bottom left."""
    first, second, third, fourth = (corners * 4)[:4] if len(corners) != 3 else [*corners, corners[1]]
    return (first, third) != (second, fourth) and (first, fourth) != (second, third)


def test_no_rule_is_for_left_to_right_pages_only() -> None:
    """``[dir="rtl"]`` has a rule of its own, and east is on the right of every map."""
    assert one_sided("a { padding: 0 max(1px, 2px) 0 3px; border-radius: 1px 2px 2px 1px; margin-left: auto }") == [
        "padding: 0 max(1px, 2px) 0 3px",
        "border-radius: 1px 2px 2px 1px",
        "margin-left",
    ]
    assert (
        one_sided("a { margin: 0 1px 2px; padding: 1px 2px; border-radius: 3px 3px 0 0; inset: 0 auto 1px auto }") == []
    )
    found = [
        (file.name, one)
        for file in SOURCES.rglob("*.css")
        for line in re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL).splitlines()
        if not line.lstrip().startswith(('[dir="rtl"]', ".map-"))
        for one in one_sided(line)
    ]
    assert found == []


def test_every_rule_is_complete() -> None:
    """Sheets are joined, so the rest of a rule that was cut off would become part of the first rule of the next one."""
    for file in SOURCES.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
        assert text.rstrip().endswith(("}", ";")), file
        assert text.count("{") == text.count("}"), file


def beyond_colours(stylesheet: str) -> list[str]:
    """Declarations for the dark scheme that could change more than colours."""
    bodies = (body for block in _DARK.findall(stylesheet) for body in _BODY.findall(block))
    declarations = (declaration.strip() for body in bodies for declaration in body.split(";"))
    return [one for one in declarations if one and not _ONLY_COLOUR.fullmatch(one)]


def test_dark_scheme_changes_only_colours() -> None:
    """The browser tests check the shape of pages in the light scheme only."""
    assert beyond_colours("@media (prefers-color-scheme: dark) { a { color: #fff; outline: none } }") == [
        "outline: none"
    ]
    assert beyond_colours("@media (prefers-color-scheme: dark) { :root { --gap: 2rem; --a: #fff; } }") == [
        "--gap: 2rem"
    ]
    stylesheets = [file.read_text("utf-8") for file in SOURCES.rglob("*.css")]
    assert sum(text.count("prefers-color-scheme") for text in stylesheets) == sum(
        len(_DARK.findall(text)) for text in stylesheets
    )
    assert [one for text in stylesheets for one in beyond_colours(text)] == []


def test_every_class_is_used() -> None:
    sources = "\n".join(
        file.read_text("utf-8") for file in SOURCES.rglob("*") if file.suffix in {".html", ".jinja", ".js", ".py"}
    )
    stylesheets = {str(file): file.read_text("utf-8") for file in SOURCES.rglob("*.css")}
    assert len(stylesheets) > 5
    assert unused(stylesheets, sources) == {}


def test_every_class_has_a_style() -> None:
    """Every class has a style, or a script or test that looks for it. Otherwise a rule was lost or the class is unused."""
    stylesheets = [file.read_text("utf-8") for file in SOURCES.rglob("*.css")]
    styled = set().union(*map(classes, stylesheets))
    looked_for = "\n".join(
        file.read_text("utf-8")
        for folder, end in ((SOURCES, "js"), (Path(__file__).parents[1], "py"))
        for file in folder.rglob(f"*.{end}")
        if "node_modules" not in file.parts
    )
    known = styled | set(_WORD.findall(looked_for))
    found = {
        (file.name, name)
        for end in ("html", "jinja")
        for file in SOURCES.rglob(f"*.{end}")
        for attribute in (*_ATTRIBUTE.findall(file.read_text("utf-8")), *_WIDTH.findall(file.read_text("utf-8")))
        for name in _COMPUTED.sub(" ", attribute).split()
        if _WORD.fullmatch(name) and name not in known
    }
    assert found == set()


def test_page_loads_the_stylesheet_of_its_classes() -> None:
    web = SOURCES / "openmeet" / "web"
    by_name = {file.name: classes(file.read_text("utf-8")) for file in SOURCES.rglob("*.css")}
    everywhere = set().union(*(found for name, found in by_name.items() if name not in OF_SOME_PAGES))
    templates = {file: file.read_text("utf-8") for end in ("html", "jinja") for file in web.rglob(f"*.{end}")}
    for name, folder in OF_SOME_PAGES.items():
        own = by_name[name] - everywhere
        assert len(own) > 50
        for file, text in templates.items():
            used = own & {word for attribute in _ATTRIBUTE.findall(text) for word in _WORD.findall(attribute)}
            if used and folder not in file.parts:
                assert f'"{name}"' in text, (file, used)


def test_every_custom_property_has_a_value() -> None:
    """A declaration with an unknown custom property is ignored, unless the property has a fallback."""
    definitions = "\n".join(
        file.read_text("utf-8")
        for file in SOURCES.rglob("*")
        if file.suffix in {".css", ".html", ".jinja", ".js", ".py"}
    )
    known = set(_DEFINED.findall(definitions))
    used = {(file.name, name) for file in SOURCES.rglob("*.css") for name in _USED.findall(file.read_text("utf-8"))}
    assert len(used) > 100
    assert {(file, name) for file, name in used if name not in known} == set()


def test_an_unused_class_is_found() -> None:
    stylesheet = ".card, .kind-a > p { color: red; } @media print { .gone.card { width: .5rem; } /* .old */ }"
    assert unused({"a.css": stylesheet}, '<p class="card kind-{{ kind }}">') == {"a.css": {"gone"}}
