"""Make colours that people choose readable: contrast by WCAG 2.2 (success criteria 1.4.3 and 1.4.11)."""

from typing import Final

Rgb = tuple[int, int, int]

WHITE: Final[Rgb] = (255, 255, 255)
BLACK: Final[Rgb] = (0, 0, 0)
# WCAG requires 4.5. Links also appear on the page background, which is a little closer to the colour than the surface
# is.
_LEAST_CONTRAST: Final = 5.0
_STEPS: Final = 40


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter_luminance, darker_luminance = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter_luminance + 0.05) / (darker_luminance + 0.05)


def readable_on(ground: Rgb, colour: Rgb) -> Rgb:
    """Return the colour, darkened on a light background or lightened on a dark one until text in it is readable."""
    step = darker if _luminance(ground) > 0.5 else lighter
    for _ in range(_STEPS):
        if contrast(colour, ground) >= _LEAST_CONTRAST:
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
