"""Allowed targets of the HTTP client, and two checks: first of the URL, then of every address that it resolves to.

Enforces invariant 7. The checks raise inside aiohttp, which wraps the exception; ``leads_inside`` finds it again.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from groundwork.errors import Refused
from groundwork.http.addresses import is_public

# LDH labels and underscores. Other characters reach a resolver only as punycode (RFC 1123 2.1, RFC 5890).
_NAME = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)

# Maps each scheme to whether it is secure.
WEB = {"http": False, "https": True}
SOCKETS = {"ws": False, "wss": True}


class AddressRefused(Refused):
    """The URL must not be called: wrong scheme or port, an IP literal, or a name that resolves to a private network."""


@dataclass(frozen=True, slots=True)
class AllowedTargets:
    """The targets that may be called. The default is for untrusted URLs; the other options are for development and for
    our own servers.
    """

    private_addresses: bool = False
    plain_http: bool = False
    any_port: bool = False


PUBLIC = AllowedTargets()
DEVELOPMENT = AllowedTargets(private_addresses=True, plain_http=True, any_port=True)


def check_target(url: str, schemes: Mapping[str, bool], reach: AllowedTargets) -> URL:
    """Return the URL if its scheme, port and host may be called. Host names are checked again when they are resolved."""
    try:
        target = URL(url, encoded=True)
        host, port = target.host, target.port
    except ValueError:
        raise AddressRefused("This is not a URL.", name="InvalidUrl") from None
    if target.scheme not in schemes or not host:
        raise AddressRefused(f"Only {' and '.join(schemes)} addresses can be called.")
    if target.user is not None or target.password is not None:
        raise AddressRefused("An address that contains a user name or password is not called.")
    is_secure = schemes[target.scheme]
    if not is_secure and not reach.plain_http:
        raise AddressRefused(f"{host} can only be called over a secure connection.")
    if port != (443 if is_secure else 80) and not reach.any_port:
        raise AddressRefused(f"{host} can only be called on its default port.")
    if _is_literal(host):
        if not reach.private_addresses:
            raise AddressRefused(f"{host} must be called by name, not by IP address.")
    elif len(host) > 253 or not _NAME.fullmatch(host):
        raise AddressRefused("The host of this address is not a valid DNS name.")
    return target


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # The operating system accepts `127.1`, `0x7f.1` and `2130706433` as addresses, but we do not.
        last = host.rstrip(".").rpartition(".")[2].lower()
        return last.isdigit() or last.startswith("0x")
    return True


class _NotPublic(OSError):
    """Raised inside aiohttp, which wraps it. It is found again by walking the causes."""


class PublicNames(AbstractResolver):
    """A resolver that rejects a name if any of its addresses is not public."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        if not all(is_public(result["host"]) for result in results):
            raise _NotPublic
        return results

    async def close(self) -> None:
        await self._inner.close()


def public_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """The last check, of the exact address to which the socket is about to connect."""
    family, kind, proto, _, address = address_info
    if not is_public(address[0]):
        raise _NotPublic
    return socket.socket(family, kind, proto)


def leads_inside(error: BaseException | None) -> bool:
    """Whether one of our own checks is among the causes of an aiohttp exception."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, _NotPublic) or isinstance(getattr(error, "os_error", None), _NotPublic):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
