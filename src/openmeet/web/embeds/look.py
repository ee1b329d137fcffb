"""Look of an embed, read from its URL: color scheme, accent colour, corners, language, number of events, pictures.

Anyone can write such a URL. Invalid values are replaced by the default, so a bad URL never breaks an embed. Every
colour is adjusted to be readable.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from groundwork.ui.colours import Rgb, hex_of, readable_on, rgb, text_on
from openmeet.i18n.catalogue import available

MOST_EVENTS: Final = 12
MOST_RADIUS: Final = 24
DEFAULT_ACCENT: Final = "#0e6557"
_USUAL_EVENTS: Final = 5
_USUAL_RADIUS: Final = 12

# The background colours of both schemes, as in embed.css and embed_dark.css.
_LIGHT_SHEET: Final[Rgb] = (255, 255, 255)
_DARK_SHEET: Final[Rgb] = (0x1F, 0x1C, 0x19)

_COLOUR: Final = re.compile(r"#?([0-9a-fA-F]{6})")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")


class EmbedTheme(StrEnum):
    """Color scheme of an embed. ``AUTO`` follows the visitor's device."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class EmbedLook:
    """The look of an embed. ``accent`` is ``#rrggbb``, and ``site_accent`` the one that embeds of this site have by
    default. ``radius`` is the corner radius in pixels. ``language`` is a language tag, or empty for the visitor's
    language.
    """

    theme: EmbedTheme = EmbedTheme.AUTO
    accent: str = DEFAULT_ACCENT
    radius: int = _USUAL_RADIUS
    language: str = ""
    events: int = _USUAL_EVENTS
    has_pictures: bool = True
    site_accent: str = DEFAULT_ACCENT

    @property
    def query(self) -> str:
        """The query string for this look. Empty for the default look."""
        usual = EmbedLook()
        fields = {
            "theme": (self.theme.value, usual.theme.value),
            "accent": (self.accent.removeprefix("#"), self.site_accent.removeprefix("#")),
            "radius": (str(self.radius), str(usual.radius)),
            "lang": (self.language, usual.language),
            "events": (str(self.events), str(usual.events)),
            "pictures": ("yes" if self.has_pictures else "no", "yes"),
        }
        return urlencode({name: value for name, (value, default) in fields.items() if value != default})

    @property
    def styles(self) -> str:
        """The CSS for the values that differ from the stylesheet. Empty for the default look."""
        css = "" if self.radius == _USUAL_RADIUS else f":root{{--round:{self.radius}px}}"
        if self.accent == DEFAULT_ACCENT:
            return css
        accent_rgb = rgb(self.accent)
        if self.theme is not EmbedTheme.DARK:
            css += f":root{{{_accent(readable_on(_LIGHT_SHEET, accent_rgb))}}}"
        dark = f":root{{{_accent(readable_on(_DARK_SHEET, accent_rgb))}}}"
        if self.theme is EmbedTheme.DARK:
            css += dark
        elif self.theme is EmbedTheme.AUTO:
            css += f"@media (prefers-color-scheme:dark){{{dark}}}"
        return css

    @property
    def style_source(self) -> str:
        """The ``style-src`` of the content security policy: our files, and the hash of these ``styles``."""
        if not self.styles:
            return "'self'"
        digest = base64.b64encode(hashlib.sha256(self.styles.encode()).digest()).decode()
        return f"'self' 'sha256-{digest}'"


def look_of(query_params: Mapping[str, str], site_accent: str = "") -> EmbedLook:
    """The look that a query string describes. ``site_accent``: the accent colour of the site, if it has one."""
    usual_accent = site_accent.lower() or DEFAULT_ACCENT
    colour = _COLOUR.fullmatch(query_params.get("accent", ""))
    theme, language = query_params.get("theme", ""), query_params.get("lang", "")
    return EmbedLook(
        theme=EmbedTheme(theme) if theme in set(EmbedTheme) else EmbedTheme.AUTO,
        accent=f"#{colour[1].lower()}" if colour else usual_accent,
        radius=min(_parse_number(query_params.get("radius", ""), _USUAL_RADIUS), MOST_RADIUS),
        language=language if language in available() else "",
        events=max(1, min(_parse_number(query_params.get("events", ""), _USUAL_EVENTS), MOST_EVENTS)),
        # Without scripts, the form sends an empty field for a checkbox that is not selected.
        has_pictures=query_params.get("pictures", "yes") not in {"", "no"},
        site_accent=usual_accent,
    )


def _parse_number(text: str, usual: int) -> int:
    return int(text) if text.isascii() and _NUMBER.fullmatch(text) else usual


def _accent(colour: Rgb) -> str:
    return f"--accent:{hex_of(colour)};--on-accent:{hex_of(text_on(colour))}"
