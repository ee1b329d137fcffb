"""Branding that the operator can choose: name, links, logo, one colour."""

from dataclasses import dataclass
from urllib.parse import urlsplit


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
