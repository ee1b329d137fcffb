"""PNG pictures: the preview of links to an event, a series or a group (1200 × 630, the cover next to the facts), and the
cover alone for e-mails.
"""

import io
import math
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import resvg_py
from PIL import Image, ImageDraw, ImageFont

from groundwork.ui import FONT
from groundwork.ui.tones import INKS, WASHES
from openmeet.domain.covers.drawing import HEIGHT, WIDTH, svg
from openmeet.domain.covers.model import Cover

CARD_WIDTH: Final = 1200
CARD_HEIGHT: Final = 630

# Size of the cover in an e-mail. This many colours are enough for its flat areas and their edges, and make the file a
# third of the size.
EMAIL_COVER_WIDTH: Final = 1200
EMAIL_COVER_HEIGHT: Final = 600
_EMAIL_COVER_COLOURS: Final = 64

_LEFT: Final = CARD_HEIGHT + 48
_TEXT_WIDTH: Final = CARD_WIDTH - _LEFT - 48
_PAPER, _INK, _SOFT = "#fbf8f3", "#221d17", "#62594c"
# Diameter of the host's face.
_FACE: Final = 56
# The round background of the initial. At the other end is the mark, as in the header of every page.
_INITIAL: Final = '<circle cx="28" cy="28" r="28" fill="{wash}"/>'
_SIGNATURE: Final = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{_TEXT_WIDTH}" height="56">
{{face}}
<g transform="translate({_TEXT_WIDTH - 56} 0) scale(1.75)"><rect x="3" y="5" width="26" height="24" rx="7" fill="#0e6557"/>
<path d="M10 2.8v5M22 2.8v5" stroke="#0e6557" stroke-width="2.6" stroke-linecap="round"/>
<circle cx="12.2" cy="18.5" r="4.2" fill="#fff6e6"/><circle cx="19.8" cy="18.5" r="4.2" fill="#f2a65a"/></g></svg>"""
# Font sizes in pixels, and the maximum number of title lines at each.
_TITLE_SIZES: Final = ((60, 3), (48, 4), (40, 5))
_MAX_LETTERS: Final = 300
# A broken word has at least this many letters on its last line.
_LEAST_LETTERS: Final = 4
# Unicode categories of emoji and of the characters that join or colour them, followed by the two variation selectors.
_SIGNS: Final = frozenset({"So", "Sk", "Cf", "Me", "Cn"})
_VARIANTS: Final = "\ufe0e\ufe0f"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The text of the card. Everything but the title is one line. ``host`` is empty for a group. ``host_picture``: a
    stored portrait of the host, as a file. If it is empty, their initial is shown on ``host_tone``. ``tone``: the
    event's, for ``when``.
    """

    title: str
    when: str
    place: str
    host: str
    host_tone: int = 0
    host_picture: bytes = b""
    tone: int = 0


def card(cover: Cover, facts: CardFacts) -> bytes:
    """The card as PNG. Drawing takes about 0.2 s of CPU time, so it is done in a worker process.

    If the font lacks a letter of the text, the cover fills the card, because missing letters would be drawn as boxes.
    Emoji and other symbols are left out.
    """
    title, when, place, host = (_without_signs(text) for text in (facts.title, facts.when, facts.place, facts.host))
    facts = replace(facts, title=title, when=when, place=place, host=host)
    image = Image.new("RGB", (CARD_WIDTH, CARD_HEIGHT), _PAPER)
    if not facts.title or not all(_is_in_font(text) for text in (facts.title, facts.when, facts.place, facts.host)):
        image.paste(_painted(cover, CARD_WIDTH, CARD_HEIGHT))
    else:
        image.paste(_painted(cover, CARD_HEIGHT, CARD_HEIGHT))
        _write(ImageDraw.Draw(image), facts, INKS[facts.tone])
        _sign(image, facts)
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


def email_cover(cover: Cover) -> bytes:
    """The cover as PNG for e-mails, which cannot show SVG. Drawing takes about 0.15 s of CPU time."""
    output = io.BytesIO()
    painted = _painted(cover, EMAIL_COVER_WIDTH, EMAIL_COVER_HEIGHT)
    painted.quantize(_EMAIL_COVER_COLOURS).save(output, "PNG", optimize=True)
    return output.getvalue()


def _painted(cover: Cover, width: int, height: int) -> Image.Image:
    """The middle of the cover, cropped to this size in pixels."""
    scale = max(width / WIDTH, height / HEIGHT)
    across = round(WIDTH * scale)
    painted = Image.open(
        io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg(cover), width=across, skip_system_fonts=True))
    ).convert("RGB")
    left, top = (painted.width - width) // 2, (painted.height - height) // 2
    return painted.crop((left, top, left + width, top + height))


def _write(draw: ImageDraw.ImageDraw, facts: CardFacts, tone_ink: str) -> None:
    draw.text((_LEFT, 84), _cut(facts.when, 27, 700), tone_ink, _font(27, 700), anchor="ls")
    size, lines = _title(facts.title)
    below = 84 + 28 + size
    for line in lines:
        draw.text((_LEFT, below), line, _INK, _font(size, 760), anchor="ls")
        below += round(size * 1.12)
    draw.text((_LEFT, below + 8), _cut(facts.place, 27, 500), _SOFT, _font(27, 500), anchor="ls")


def _sign(image: Image.Image, facts: CardFacts) -> None:
    """The host with their picture or initial, and the mark of OpenMeet, at the bottom."""
    row = _SIGNATURE.format(face=_INITIAL.format(wash=WASHES[facts.host_tone]) if facts.host else "")
    drawn = Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=row, skip_system_fonts=True)))
    image.paste(drawn, (_LEFT, CARD_HEIGHT - 48 - drawn.height), drawn)
    draw, middle = ImageDraw.Draw(image), CARD_HEIGHT - 48 - drawn.height // 2
    if facts.host_picture:
        face = Image.open(io.BytesIO(facts.host_picture)).convert("RGB").resize((_FACE, _FACE))
        # Drawn larger and scaled down, for a smooth edge.
        circle = Image.new("L", (4 * _FACE, 4 * _FACE))
        ImageDraw.Draw(circle).ellipse((0, 0, 4 * _FACE - 1, 4 * _FACE - 1), fill=255)
        image.paste(face, (_LEFT, middle - _FACE // 2), circle.resize((_FACE, _FACE)))
    else:
        initial = next((letter.upper() for letter in facts.host if letter.isalnum()), "")
        draw.text((_LEFT + 28, middle), initial, INKS[facts.host_tone], _font(27, 700), anchor="mm")
    name = _cut(facts.host, 27, 650, _TEXT_WIDTH - 2 * 72)
    draw.text((_LEFT + 72, middle + 10), name, _INK, _font(27, 650), anchor="ls")


def _title(text: str) -> tuple[int, list[str]]:
    """The largest font size in which the title fits, and its lines.

    A smaller size is preferred to a broken word, and lines of similar length to a last line of one word.
    """
    shown = text[:_MAX_LETTERS]
    for size, most in _TITLE_SIZES:
        widest = max((_font(size, 760).getlength(word) for word in shown.split()), default=0)
        lines = _lines(shown, size, _TEXT_WIDTH)
        if widest <= _TEXT_WIDTH and len(lines) <= most:
            return size, _lines(shown, size, _narrowest(shown, size, len(lines), math.ceil(widest)))
    size, most = _TITLE_SIZES[-1]
    lines = _lines(shown, size, _TEXT_WIDTH)
    return size, lines if len(lines) <= most else [*lines[: most - 1], _cut(" ".join(lines[most - 1 :]), size, 760)]


def _narrowest(text: str, size: int, number: int, widest: int) -> int:
    """The smallest width, at least that of the ``widest`` word, in which the text has this number of lines."""
    return bisect_left(range(_TEXT_WIDTH), x=-number, lo=widest, key=lambda width: -len(_lines(text, size, width)))


def _lines(text: str, size: int, most: int) -> list[str]:
    """The text in lines of at most this width. A word that is wider is broken, with a hyphen."""
    font = _font(size, 760)
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > most:
            lines.append(line)
            longer = word
        while font.getlength(longer) > most:
            fitting = next(n for n in range(len(longer) - 1, 0, -1) if font.getlength(f"{longer[:n]}-") <= most)
            fitting = max(1, min(fitting, len(longer) - _LEAST_LETTERS))
            lines.append(f"{longer[:fitting]}-")
            longer = longer[fitting:]
        line = longer
    return [*lines, line] if line else lines


def _cut(text: str, size: int, weight: int, width: int = _TEXT_WIDTH) -> str:
    """The text, shortened with an ellipsis to fit on one line."""
    font, shown = _font(size, weight), text[:_MAX_LETTERS]
    if font.getlength(shown) <= width:
        return shown
    while shown and font.getlength(f"{shown}…") > width:
        shown = shown[:-1]
    return f"{shown.rstrip()}…"


@cache
def _font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(FONT, size)
    font.set_variation_by_axes([weight])
    return font


def _without_signs(text: str) -> str:
    """The text without emoji, their joiners and other symbols that the font lacks."""
    composed = unicodedata.normalize("NFC", text)
    letters = (letter for letter in composed if _is_in_font(letter) or not _is_sign(letter))
    return " ".join("".join(letters).split())


def _is_sign(letter: str) -> bool:
    return unicodedata.category(letter) in _SIGNS or letter in _VARIANTS


def _is_in_font(text: str) -> bool:
    """Whether the font has all letters of the text, that is, the Latin ones of its ``unicode-range`` in ``tokens.css``."""
    return all(" " <= letter <= "ÿ" or letter in "ıŒœʻʼˆ˚˜–—‘’‚“”„•…‹›€™−·" for letter in text)
