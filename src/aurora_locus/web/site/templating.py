"""The templates and static files of the pages, and the branding that the operator can choose.

Escaping is always on, and an undefined name is an error, not an empty string.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from aurora_locus.i18n.catalogue import CATALOGUE, current, plazy
from aurora_locus.i18n.sentences import capital, explain
from aurora_locus.web.site import formatting
from groundwork import ui
from groundwork.errors import Explanation
from groundwork.http.static_files import StaticFiles
from groundwork.i18n.templates import speak
from groundwork.ui.colours import accent_stylesheet
from groundwork.ui.tones import tone_of

# Names of account states, which several pages show.
STATUSES: Final = {
    "active": plazy("status of an account", "active"),
    "deactivated": plazy("status of an account", "paused"),
    "suspended": plazy("status of an account", "suspended"),
    "takendown": plazy("status of an account", "taken down"),
    "deleted": plazy("status of an account", "deleted"),
}

_HERE = Path(__file__).parent
_PACKAGES = _HERE.parent

_STYLES = (
    "tokens.css",
    "sky.css",
    "base.css",
    ui.TABS,
    ui.FILTERS,
    ui.WAITING,
    ui.PANELS,
    "forms.css",
    ui.CHOICES,
    ui.PROBLEMS,
    "frame.css",
    "inputs.css",
)


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


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of one server. ``url`` is its public URL."""

    branding: Branding
    url: str
    csrf_key: bytes
    files: StaticFiles
    templates: jinja2.Environment

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https:")


def open_site(branding: Branding, url: str, csrf_key: bytes, numbers: Mapping[str, int]) -> Site:
    """Open the pages of a server. Every package can have templates. ``numbers``: limits that they mention."""
    files = StaticFiles(
        [ui.STATIC, _HERE / "static"],
        {"site.css": _STYLES, "admin.css": ("operators.css", "admin.css")},
        more={"brand.css": accent_stylesheet(branding.colour)},
    )
    return Site(branding, url, csrf_key, files, _environment(branding, url, files, numbers))


def _environment(branding: Branding, url: str, files: StaticFiles, numbers: Mapping[str, int]) -> jinja2.Environment:
    folders = list(_PACKAGES.glob("*/templates"))
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(
            {_package_of(folder): jinja2.FileSystemLoader(folder) for folder in folders}
            | {"ui": jinja2.FileSystemLoader(ui.TEMPLATES)}
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    speak(environment, CATALOGUE, _shown)
    environment.globals |= {
        "brand": branding,
        "static": files.url,
        "formatting": formatting,
        "tone_of": tone_of,
    }
    environment.globals |= {"explain": explain, "home": url, "status_words": STATUSES, "language": current, **numbers}
    environment.filters |= {"breakable": _breakable, "capital": capital}
    return environment


def _shown(value: object) -> object:
    return explain(value) if isinstance(value, Explanation) else value


def _breakable(text: str) -> Markup:
    """Allow line breaks in a name after each dot, but not in the middle of a word."""
    return Markup(".<wbr>").join(text.split("."))


def _package_of(folder: Path) -> str:
    return folder.relative_to(_PACKAGES).parts[0]
