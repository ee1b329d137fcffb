"""What every mail of a site has in common."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Letterhead:
    """``key``: 32 secret bytes that the tokens in links are derived from."""

    key: bytes
    site_name: str
    public_url: str

    @property
    def host(self) -> str:
        return urlsplit(self.public_url).hostname or "localhost"
