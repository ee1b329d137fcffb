"""What every mail of a site has in common."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from groundwork.signing_key import SigningKey


@dataclass(frozen=True, slots=True)
class Letterhead:
    """``key``: what the tokens in links are derived from."""

    key: SigningKey
    site_name: str
    public_url: str

    @property
    def host(self) -> str:
        return urlsplit(self.public_url).hostname or "localhost"
