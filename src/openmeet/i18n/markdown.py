"""User-written text as safe HTML: Markdown without raw HTML or images, with headings below the page's own.

The text can come from anybody's repository and is rendered on the event loop. Text that would be slow to parse is
therefore shown as plain paragraphs: very long text, text full of brackets (quadratic time), and text that is mostly
markup (thousands of tokens).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import nh3
import regex
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from groundwork.database.expressions import without_joiners

# The page uses h1 and h2, so headings in a text start at h3.
_DEEPER = 2
_DEEPEST = 6

# The limit of our own form. Longer texts only come from other apps.
_MAX_MARKDOWN = 20_000
_MAX_BRACKETS = 400
# Emphasis, code, escapes and entities each produce at least one token. The longest texts that people write have a few
# hundred.
_MAX_MARKS = 3_000
_MARKS = "*_`<&\\"
_MAX_LINES = 2_000
_MAX_SHOWN = 50_000
# Number of cached renderings: few pages are popular at any time, and a list shows a summary of each event.
_KEPT = 128
_KEPT_SUMMARIES = 1024
# Maximum number of brackets in the short text of a summary; a link has two pairs.
_MAX_SUMMARY_BRACKETS = 40
_MAX_SUMMARY_MARKS = 300

_DECEPTIVE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")

# Where the zero-width joiner and non-joiner change how a text looks, as UAX 31 (A1, A2, B) and UTS 51 describe it:
# between letters that join, after the virama of Indic scripts, and within an emoji. Persian, Sinhala and families need
# them. Elsewhere they are invisible, so that two texts could look the same. The number of marks between is limited, so
# that the time is linear.
_NEEDED_JOINERS = (
    r"(?<=[\p{jt=D}\p{jt=L}]\p{jt=T}{0,8})\u200c(?=\p{jt=T}{0,8}[\p{jt=D}\p{jt=R}])"
    r"|(?<=\p{L}\p{M}{0,8}\p{ccc=Virama}\p{M}{0,8})\u200c(?=\p{M}{0,8}\p{L})"
    r"|(?<=\p{L}\p{M}{0,8}\p{ccc=Virama}\p{M}{0,8})\u200d(?!\p{InSC=Vowel_Dependent})"
    r"|(?<=\p{ExtPict}[\ufe0f\U0001f3fb-\U0001f3ff]{0,2})\u200d(?=\p{ExtPict})"
)
# The flags of England, Scotland and Wales are written with format characters.
_FLAG = r"\U0001f3f4[\U000e0030-\U000e007a]{2,8}\U000e007f"
_JOINERS = regex.compile(rf"({_NEEDED_JOINERS})|[\u200c\u200d]+")
_INVISIBLE = regex.compile(rf"({_NEEDED_JOINERS}|{_FLAG})|[\p{{Cc}}\p{{Cf}}\p{{Zl}}\p{{Zp}}]+")

# More combining marks than this on one letter would cover the lines above and below, or make the letter wider than a
# phone. Scripts need fewer: the tallest stacks are Tibetan. Format characters do not end a stack.
_MAX_STACKED = 8
_EXCESS_MARKS = regex.compile(rf"((?:\p{{M}}\p{{Cf}}*+){{{_MAX_STACKED}}})(?:\p{{M}}\p{{Cf}}*+)+")

# Hangul fillers and the empty Braille pattern: Unicode counts them as letters and symbols, but they are blank.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")

# The first character of a host name, so that punctuation alone does not count as an address.
_ADDRESS = re.compile(r"https?://[^\W_][^\s<>\"`]*")
_LAST_MARKS = frozenset(".,;:!?'*_]}…")

# Letters that do not decompose in Unicode, and the replacements that people type on other keyboards.
_WITHOUT_MARKS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})

_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(["image", "html_block", "html_inline"])

_TAGS = {"p", "br", "em", "strong", "ul", "ol", "li", "a", "code", "pre", "blockquote", "hr", "h3", "h4", "h5", "h6"}

# Without this, bullets and numbers would be on the wrong side of right-to-left text: the style sheet aligns only the
# text.
_BLOCKS_WITH_DIRECTION = frozenset({"bullet_list_open", "ordered_list_open", "blockquote_open"})


@lru_cache(maxsize=_KEPT)
def html_of(text: str) -> Markup:
    """The text as HTML that is safe in a page."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    is_slow = (
        len(text) > _MAX_MARKDOWN
        or text.count("[") > _MAX_BRACKETS
        or text.count("\n") > _MAX_LINES
        or _marks_in(text) > _MAX_MARKS
    )
    if is_slow:
        return _plain(text)
    tokens = _markdown.parse(text)
    is_mixed = any(unicodedata.bidirectional(char) in {"R", "AL"} for char in text)
    for token in tokens:
        if token.type == "inline":
            token.children = _linked(token.children or [])
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + _DEEPER, _DEEPEST)}"
        if is_mixed and token.type in _BLOCKS_WITH_DIRECTION:
            token.attrSet("dir", "auto")
    rendered = _markdown.renderer.render(tokens, _markdown.options, {})
    clean = nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start", "dir"}, "ul": {"dir"}, "blockquote": {"dir"}},
        url_schemes={"http", "https", "mailto"},
        # Links in user-written text must not send a referrer or give the target access to this window.
        link_rel="nofollow ugc noopener",
    )
    return Markup(clean)  # noqa: S704  # sanitised in the line above


def one_line(text: str) -> str:
    """Text for a single line: spaces are normalised, and characters that could hide or reorder the words next to it are
    removed, as are stacked marks.

    These are control characters, the marks that override or isolate the writing direction (UAX 9), and joiners where
    they join nothing. The weak direction marks stay, because languages need them.
    """
    return " ".join(without_stacked_marks(_JOINERS.sub(r"\1", _DECEPTIVE.sub("", text))).split())


def name_line(text: str) -> str:
    """``one_line`` for the name of a person: without any invisible character, because it could make the name look like
    another. Joiners stay where they are needed.
    """
    return " ".join(without_stacked_marks(_INVISIBLE.sub(r"\1", text)).split())


def without_stacked_marks(text: str) -> str:
    """The text without the combining marks beyond the eighth on the same letter."""
    return text if text.isascii() else _EXCESS_MARKS.sub(r"\1", text)


def is_visible(text: str) -> bool:
    """Whether the text shows anything: letters, digits, marks and symbols do; spaces and format characters do not."""
    return any(char not in _BLANK and unicodedata.category(char)[0] in "LNPS" for char in text)


def folded(text: str) -> str:
    """The text folded for search, without case, diacritics and zero-width joiners, so that "zurich" finds "Zürich"."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_WITHOUT_MARKS))
    return without_joiners("".join(char for char in apart if not unicodedata.combining(char)))


def _marks_in(text: str) -> int:
    return sum(map(text.count, _MARKS))


def _linked(tokens: Sequence[Token]) -> list[Token]:
    """The inline tokens with bare web addresses turned into links. Code and existing links are unchanged."""
    with_links: list[Token] = []
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        if token.type != "text" or depth or "://" not in token.content:
            with_links.append(token)
            continue
        end = 0
        for match in _ADDRESS.finditer(token.content):
            address = _without_last_marks(match[0])
            opening = Token("link_open", "a", 1, attrs={"href": address})
            before, shown = token.content[end : match.start()], _text(address)
            with_links += [_text(before), opening, shown, Token("link_close", "a", -1)]
            end = match.start() + len(address)
        with_links.append(_text(token.content[end:]))
    return with_links


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _without_last_marks(address: str) -> str:
    """The address without the punctuation that ends the sentence. A closing bracket stays if it was opened inside the
    address.

    One pass from the end counts the brackets once, so that thousands of them take linear time.
    """
    end = len(address)
    unopened = address.count(")") - address.count("(")
    while address[end - 1] in _LAST_MARKS or (address[end - 1] == ")" and unopened > 0):
        unopened -= address[end - 1] == ")"
        end -= 1
    return address[:end]


def _plain(text: str) -> Markup:
    """The text as paragraphs and line breaks only."""
    shown = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + " …"
    paragraphs = (escape(part).replace("\n", Markup("<br>")) for part in re.split(r"\n\s*\n", shown.strip()))
    return Markup("").join(Markup("<p>{}</p>").format(part) for part in paragraphs)


def summary_of(text: str, limit: int = 160) -> str:
    """The first words as plain text, for lists and cards."""
    # No summary needs more of the text than this, markup included.
    return _summary(text[: 5 * limit + 800], limit)


@lru_cache(maxsize=_KEPT_SUMMARIES)
def _summary(text: str, limit: int) -> str:
    if text.count("[") <= _MAX_SUMMARY_BRACKETS and _marks_in(text) <= _MAX_SUMMARY_MARKS:
        text = Markup(nh3.clean(_markdown.render(text), tags=set())).unescape()  # noqa: S704  # unescaped: the template escapes it
    words = " ".join(text.split())
    return words if len(words) <= limit else words[:limit].rsplit(" ", 1)[0].rstrip(",.;:") + " …"
