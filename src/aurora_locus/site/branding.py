"""Branding that the operator can choose: name, links, logo, one colour.

The operator sets only one colour. Text colours and the dark variant are derived from it by contrast (WCAG 2.2, success
criteria 1.4.3 and 1.4.11), so that no choice makes a page unreadable.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from groundwork.ui.colours import Rgb, darker, hex_of, lighter, readable_on, rgb, text_on

# Surface colours of the light and the dark scheme in sky.css.
_LIGHT_SHEET: Rgb = (255, 255, 255)
_DARK_SHEET: Rgb = (0x19, 0x1C, 0x2C)


@dataclass(frozen=True, slots=True)
class Branding:
    """The operator's choices. Empty texts are not shown. ``contact`` is the operator's e-mail address; ``colour`` is
    ``#rrggbb``, or empty for the default.
    """

    name: str
    home_url: str = ""
    support_url: str = ""
    contact: str = ""
    terms_url: str = ""
    privacy_url: str = ""
    logo_url: str = ""
    colour: str = ""

    @property
    def logo_origin(self) -> str:
        """The origin of the logo for the content policy; empty without a logo."""
        parts = urlsplit(self.logo_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    @property
    def stylesheet(self) -> bytes:
        """The colours as CSS; empty if the operator chose none."""
        if not self.colour:
            return b""
        colour = rgb(self.colour)
        light, dark = readable_on(_LIGHT_SHEET, colour), readable_on(_DARK_SHEET, colour)
        return (
            f":root {{ {_declarations(light, darker(light, 8))} }}\n"
            f"@media (prefers-color-scheme: dark) {{ :root {{ {_declarations(dark, lighter(dark, 8))} }} }}\n"
        ).encode()


def _declarations(colour: Rgb, strong: Rgb) -> str:
    return f"--accent: {hex_of(colour)}; --accent-strong: {hex_of(strong)}; --on-accent: {hex_of(text_on(colour))};"
