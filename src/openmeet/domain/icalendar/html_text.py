"""Convert HTML in descriptions to Markdown: text, emphasis, lists and links. Everything else is dropped.

``nh3`` sanitizes first. The rest is parsed in one loop, so that deeply nested tags in a hostile file cannot exhaust the
call stack. Plain text stays plain: characters with a meaning in Markdown are escaped.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import nh3

from openmeet.domain.events.inputs import is_web_address

MAX_HTML = 60_000

# Tags that programs write, ending at a word boundary: "a < b" and "<ana@example.org>" are text.
_KNOWN_TAG = re.compile(
    r"<(?:/?(?:br|p|a|b|i|u|em|strong|span|div|ul|ol|li|table|tr|td|h[1-6]|html|body|pre|blockquote|hr)(?=[\s/>])|!doctype\b)",
    re.IGNORECASE,
)
_TAGS = {
    *("p", "br", "b", "strong", "i", "em", "u", "s", "a", "ul", "ol", "li", "blockquote", "pre", "code", "hr", "div"),
    *("span", "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tfoot", "tr", "td", "th"),
}
_DROPPED_WITH_CONTENT = {"script", "style", "title", "head"}
_BLOCKS = frozenset(
    {"p", "div", "ul", "ol", "li", "blockquote", "pre", "hr", "table", "tr", *(f"h{n}" for n in range(1, 7))}
)
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`"}

# Formatting elements, whose attributes are dropped. A parser reopens them in every block, and without limit if their
# attributes differ (HTML, 13.2.4.3).
_FORMATTING = re.compile(
    r"<(/?)(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])[^<>]*>?", re.IGNORECASE
)
_SPECIAL = re.compile(r"[\\*_\[\]<`&]")
_AT_START = re.compile(r"(?P<mark>[#>+\-=]|\d{1,9}(?=[.)]))")
_ADDRESS = re.compile(r"https?://[^\s<>\"`]+")
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_REDIRECTS = (
    (re.compile(r"(?:www\.)?google\.[a-z.]+"), "/url", ("q", "url")),
    (re.compile(r"[a-z0-9-]+\.safelinks\.protection\.outlook\.com"), "/", ("url",)),
)
_DEEPEST = 5
_MAX_MARKS = 50


def is_html(text: str) -> bool:
    """Whether a text that could be plain text or HTML is HTML."""
    return _KNOWN_TAG.search(text) is not None


def markdown_of(html: str) -> str:
    """Convert an HTML document or fragment to Markdown. Only the first 60,000 characters are read."""
    clean = nh3.clean(
        _FORMATTING.sub(r"<\1\2>", html[:MAX_HTML]),
        tags=_TAGS,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )
    writer = _Writer()
    writer.feed(clean)
    writer.close()
    return writer.text()


def target_of(address: str) -> str:
    """The target of a Google or Outlook redirect link. Any other link is returned unchanged."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    for host, path, names in _REDIRECTS:
        if host.fullmatch(parts.hostname or "") and parts.path in {path, path.rstrip("/")}:
            target = next((one for name in names for one in parse_qs(parts.query).get(name, [])), "")
            return target if is_web_address(target) else address
    return address


@dataclass(slots=True)
class _Mark:
    """An open emphasis or link. ``at`` is the index of the piece where its text begins."""

    tag: str
    at: int
    href: str = ""


class _Writer(HTMLParser):
    """Collects Markdown blocks in order; a state machine driven by the parser."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[tuple[str, bool]] = []
        self._pieces: list[str] = []
        self._marks: list[_Mark] = []
        # One entry per open list: the number of its last item, or None for a bulleted list.
        self._lists: list[int | None] = []
        self._too_deep = 0
        self._quotes = 0
        self._bullet = ""
        self._heading = ""
        self._is_pre = False
        self._cells = 0

    def text(self) -> str:
        self._flush()
        joined = ""
        for block, is_tight in self._blocks:
            joined += ("\n" if is_tight else "\n\n") + block if joined else block
        return joined

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._begin_block(tag)
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in {"td", "th"}:
            if self._cells:
                self._pieces.append(" – ")
            self._cells += 1
        elif tag == "a" and len(self._marks) < _MAX_MARKS:
            self._marks.append(_Mark(tag, len(self._pieces), target_of(dict(attrs).get("href") or "")))
        elif tag in _MARKS and len(self._marks) < _MAX_MARKS:
            self._marks.append(_Mark(tag, len(self._pieces)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._flush()
            match tag:
                case "ul" | "ol" if self._too_deep:
                    self._too_deep -= 1
                case "ul" | "ol" if self._lists:
                    self._lists.pop()
                case "blockquote":
                    self._quotes = max(0, self._quotes - 1)
                case "pre":
                    self._is_pre = False
                case _:
                    self._heading = ""
        elif any(mark.tag == tag for mark in self._marks):
            while self._marks:
                mark = self._marks.pop()
                self._close(mark)
                if mark.tag == tag:
                    break

    def handle_data(self, data: str) -> None:
        if self._is_pre:
            self._pieces.append(data)
            return
        self._pieces.append(_escaped(_SPACE.sub(" ", data)))

    def _begin_block(self, tag: str) -> None:
        self._flush()
        match tag:
            case "ul" | "ol":
                if len(self._lists) < _DEEPEST:
                    self._lists.append(0 if tag == "ol" else None)
                else:
                    self._too_deep += 1
            case "li":
                self._bullet = self._next_bullet()
            case "blockquote":
                self._quotes = min(_DEEPEST, self._quotes + 1)
            case "pre":
                self._is_pre = True
            case "tr":
                self._cells = 0
            case "hr":
                self._blocks.append(("---", False))
            case _ if tag.startswith("h"):
                self._heading = "#" * int(tag[1:]) + " "
            case _:
                pass

    def _next_bullet(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    def _close(self, mark: _Mark) -> None:
        inner = "".join(self._pieces[mark.at :])
        core = inner.strip()
        if not core:
            return
        before, after = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        self._pieces[mark.at :] = [
            before,
            _link(core, mark.href) if mark.tag == "a" else _marked(core, mark.tag),
            after,
        ]

    def _flush(self) -> None:
        """Write the collected text as a block; open marks continue in the next one."""
        for one in reversed(self._marks):
            self._close(one)
        text = "".join(self._pieces)
        self._pieces = []
        for one in self._marks:
            one.at = 0
        if self._is_pre:
            text = text.strip("\n")
            lines = ["```", *text.replace("```", "'''").split("\n"), "```"] if text.strip() else []
        else:
            lines = [_line(one) for one in text.strip().split("\n")] if text.strip() else []
        if not lines:
            return
        depth = max(0, len(self._lists) - 1)
        indent = "   " * depth
        is_entry = bool(self._bullet)
        first, rest = indent + self._bullet, indent + "   " * bool(self._lists)
        quote = "> " * self._quotes
        lines[0] = self._heading + lines[0]
        shown = [quote + (rest if number else first if is_entry else rest) + line for number, line in enumerate(lines)]
        self._blocks.append(("\n".join(one.rstrip() for one in shown), is_entry and self._was_entry()))
        self._bullet = ""

    def _was_entry(self) -> bool:
        return bool(self._blocks) and re.match(r"(?:> )*\s*(?:-|\d+\.) ", self._blocks[-1][0]) is not None


def _escaped(text: str) -> str:
    """Escape Markdown characters in the text, but not inside URLs."""
    escaped, end = "", 0
    for address in _ADDRESS.finditer(text):
        escaped += _SPECIAL.sub(r"\\\g<0>", text[end : address.start()]) + address[0]
        end = address.end()
    return escaped + _SPECIAL.sub(r"\\\g<0>", text[end:])


def _line(text: str) -> str:
    """Normalize one line, and escape a start that Markdown would take for a heading, a quote or a list item."""
    text = " ".join(text.split(" ")).strip()
    match = _AT_START.match(text)
    if match is None:
        return text
    return f"\\{text}" if not match["mark"].isdigit() else f"{match['mark']}\\{text[match.end() :]}"


def _marked(core: str, tag: str) -> str:
    markers = _MARKS[tag]
    # Inside code nothing is escaped. Emphasis directly inside emphasis is dropped, because its marks would end the
    # outer one.
    if tag == "code":
        return "`" + core.replace("\\", "").replace("`", "'") + "`"
    return core if core.startswith("*") or core.endswith("*") else f"{markers}{core}{markers}"


def _link(core: str, href: str) -> str:
    if not (is_web_address(href) or href.startswith("mailto:")):
        return core
    shown = core.replace("\n", " ")
    plain = shown.replace("\\", "")
    if plain.rstrip("/") in {href.rstrip("/"), href.removeprefix("mailto:")} or _ADDRESS.fullmatch(plain):
        return href.removeprefix("mailto:")
    if "](" in shown:
        return shown
    return f"[{shown}]({href.replace(' ', '%20').replace('(', '%28').replace(')', '%29')})"
