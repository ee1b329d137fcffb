"""Make colours that people choose readable: contrast by WCAG 2.2 (success criteria 1.4.3 and 1.4.11). The stylesheet of
the accent colour that an operator chooses.
"""

import re
from typing import Final, NamedTuple

Rgb = tuple[int, int, int]

WHITE: Final[Rgb] = (255, 255, 255)
BLACK: Final[Rgb] = (0, 0, 0)
# WCAG requires 4.5. Links also appear on the page background, which is a little closer to the colour than the surface
# is.
_LEAST_CONTRAST: Final = 5.0
_STEPS: Final = 40
# Of all backgrounds of ``tokens.css`` and ``sky.css``, the darkest in the light scheme and the lightest in the dark one.
# Text that is readable on them is readable on the others.
_DARKEST_GROUND: Final[Rgb] = (0xE0, 0xE6, 0xF1)
_LIGHTEST_GROUND: Final[Rgb] = (0x3D, 0x32, 0x10)
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


class Accent(NamedTuple):
    """An accent colour in one colour scheme: for buttons and links, for a button under the pointer, and for the text on
    both. Each is ``#rrggbb``.
    """

    accent: str
    strong: str
    on_accent: str


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter_luminance, darker_luminance = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter_luminance + 0.05) / (darker_luminance + 0.05)


def colour_problems(setting: str, text: str) -> list[str]:
    """Return what is wrong with the accent colour in a setting, as sentences for the operator. It may be empty."""
    return [f"{setting} is {text!r}; write a colour as #rrggbb."] if text and not _COLOUR.fullmatch(text) else []


def accents(colour: str) -> tuple[Accent, Accent]:
    """Return a colour (``#rrggbb``) as the accent of the light and of the dark scheme.

    It is darkened or lightened until text in it is readable on every background, so no choice makes a page unreadable.
    """
    light = readable_on(_DARKEST_GROUND, rgb(colour), 4.5)
    dark = readable_on(_LIGHTEST_GROUND, rgb(colour), 4.5)
    return _accent(light, darker(light, 8)), _accent(dark, lighter(dark, 8))


def _accent(colour: Rgb, strong: Rgb) -> Accent:
    return Accent(hex_of(colour), hex_of(strong), hex_of(text_on(colour)))


def accent_stylesheet(colour: str) -> bytes:
    """Return the tokens of an accent colour as CSS; empty for no colour."""
    if not colour:
        return b""
    light, dark = (
        f":root {{ --accent: {one.accent}; --accent-strong: {one.strong}; --on-accent: {one.on_accent}; }}"
        for one in accents(colour)
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n".encode()


def readable_on(ground: Rgb, colour: Rgb, least: float = _LEAST_CONTRAST) -> Rgb:
    """Return the colour, darkened on a light background or lightened on a dark one until text in it is readable:
    ``least`` is the contrast.
    """
    step = darker if _luminance(ground) > 0.5 else lighter
    for _ in range(_STEPS):
        if contrast(colour, ground) >= least:
            break
        colour = step(colour)
    return colour


def text_on(colour: Rgb) -> Rgb:
    """Return white or black, whichever is more readable on the colour."""
    return WHITE if contrast(WHITE, colour) >= contrast(BLACK, colour) else BLACK


def darker(colour: Rgb, percent: int = 6) -> Rgb:
    red, green, blue = (part - part * percent // 100 - 1 for part in colour)
    return max(red, 0), max(green, 0), max(blue, 0)


def lighter(colour: Rgb, percent: int = 6) -> Rgb:
    red, green, blue = (part + (255 - part) * percent // 100 + 1 for part in colour)
    return min(red, 255), min(green, 255), min(blue, 255)


def rgb(text: str) -> Rgb:
    """Return the components of ``#rrggbb``. Raises ValueError."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def hex_of(colour: Rgb) -> str:
    """Return a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
