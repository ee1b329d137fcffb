"""Branding chosen by the operator: name, links, logo, one colour.

The colour is given once. Text colours and the dark variant are derived by contrast (WCAG 2.2, success criteria 1.4.3 and
1.4.11), so that no choice makes a page unreadable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

Rgb = tuple[int, int, int]

_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
# Surface colours of the two schemes in sky.css.
_LIGHT_SHEET: Rgb = (255, 255, 255)
_DARK_SHEET: Rgb = (0x19, 0x1C, 0x2C)
# WCAG asks for 4.5; links also appear on the page background, which is a little closer to the colour than the surface.
_LEAST_CONTRAST = 5.0
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Branding:
    """Empty texts are not shown. ``colour`` is ``#rrggbb`` or empty for the default."""

    name: str
    home_url: str = ""
    support_url: str = ""
    terms_url: str = ""
    privacy_url: str = ""
    logo_url: str = ""
    colour: str = ""

    @property
    def logo_origin(self) -> str:
        """Image origin for the content policy; empty without a logo."""
        parts = urlsplit(self.logo_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    @property
    def stylesheet(self) -> bytes:
        """The colours as CSS; empty if the operator chose none."""
        if not self.colour:
            return b""
        chosen = _rgb(self.colour)
        light = _until_readable(chosen, _LIGHT_SHEET, _darker)
        dark = _until_readable(chosen, _DARK_SHEET, _lighter)
        return (
            f":root {{ {_declarations(light, _darker(light, 8))} }}\n"
            f"@media (prefers-color-scheme: dark) {{ :root {{ {_declarations(dark, _lighter(dark, 8))} }} }}\n"
        ).encode()


def _declarations(colour: Rgb, strong: Rgb) -> str:
    on = _WHITE if contrast(_WHITE, colour) >= contrast(_BLACK, colour) else _BLACK
    return f"--accent: {_hex(colour)}; --accent-strong: {_hex(strong)}; --on-accent: {_hex(on)};"


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _until_readable(colour: Rgb, sheet: Rgb, step: Callable[[Rgb], Rgb]) -> Rgb:
    for _ in range(_STEPS):
        if contrast(colour, sheet) >= _LEAST_CONTRAST:
            break
        colour = step(colour)
    return colour


def _darker(colour: Rgb, percent: int = 6) -> Rgb:
    red, green, blue = (part - part * percent // 100 - 1 for part in colour)
    return max(red, 0), max(green, 0), max(blue, 0)


def _lighter(colour: Rgb, percent: int = 6) -> Rgb:
    red, green, blue = (part + (255 - part) * percent // 100 + 1 for part in colour)
    return min(red, 255), min(green, 255), min(blue, 255)


def _rgb(text: str) -> Rgb:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
