"""The source of a sign-in: the client's address, and the browser if somebody has signed in on it before."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest

from starlette.requests import HTTPConnection

from groundwork.http.addresses import network_of
from groundwork.http.application import client_address, has_personal_address, is_local
from groundwork.http.client_addresses import CLIENT_ADDRESS, vouched_address
from groundwork.settings import Secret

_NO_KEY = Secret("")


@dataclass(frozen=True, slots=True)
class SignInSource:
    """Where a sign-in comes from. ``is_personal`` is True if, as far as we know, the address belongs to one person and
    not to a proxy. ``is_local`` is True for a program on the server's own machine. ``device`` is the identifier in a
    browser's cookie; empty for apps and for browsers without the cookie.
    """

    address: str
    is_personal: bool = False
    is_local: bool = False
    device: str = ""

    @property
    def network(self) -> str:
        """The unit of counting: an IPv4 address, or the /64 network of an IPv6 address."""
        return network_of(self.address)

    def hashes(self, key: bytes) -> Sequence[bytes]:
        """Return keyed hashes of the device and the address, the more specific first. They are keyed, because without a
        key all addresses could be tried.
        """
        device = [_hash_of(key, "device", self.device)] if self.device else []
        address = [_hash_of(key, "address", self.network)] if self.is_personal else []
        return [*device, *address]


def source_of(connection: HTTPConnection, device: str = "", *, key: Secret = _NO_KEY) -> SignInSource:
    """Return the source of a request: its sender, or the visitor on whose behalf a service that has ``key`` sent it."""
    headers = dict(connection.scope["headers"])
    vouched = vouched_address(key, headers) if CLIENT_ADDRESS in headers else ""
    if vouched:
        return SignInSource(vouched, is_personal=True)
    return SignInSource(client_address(connection), has_personal_address(connection), is_local(connection), device)


def _hash_of(key: bytes, kind: str, text: str) -> bytes:
    return digest(key, f"place\n{kind}\n{text}".encode(errors="replace"), sha256)[:16]
