"""Client addresses: where a request comes from, and whether the address belongs to one person.

Behind a proxy that is not configured, all visitors have the proxy's address. Behind a web service that signs people in,
they have the service's address. Such an address can be counted for limits but never trusted. A service that shares a
secret with this server sends its visitor's address in a signed header. One that does not share a secret sends an
obfuscated identifier (RFC 7239, section 6.3), which shows that it acts for others.
"""

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from groundwork.http.addresses import is_loopback
from groundwork.settings import Secret

CLIENT_ADDRESS = b"x-client-address"
# Header of requests on behalf of people, for servers that share no secret with us.
FOR_SOMEBODY = {"forwarded": "for=_visitor"}

# Headers, in addition to X-Forwarded-For, by which proxies identify themselves.
_OF_PROXIES = (b"forwarded", b"via", b"x-real-ip", CLIENT_ADDRESS)

# The longest IPv6 address, with a zone, brackets and a port, has fewer characters.
MAX_ADDRESS_LENGTH = 64

_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "169.254.0.0/16",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fe80::/10",
        "fc00::/7",
    )
)


def signed_address_header(key: Secret, address: str) -> dict[str, str]:
    """Return the header with which a service sends its visitor's address to a server with the same key."""
    return {CLIENT_ADDRESS.decode(): f"{address} {_mac(key, address)}"}


def vouched_address(key: Secret, headers: Mapping[bytes, bytes]) -> str:
    """Return the visitor's address from a service with our key. Empty if there is none or the signature is wrong."""
    address, _, mac = headers.get(CLIENT_ADDRESS, b"").decode("latin-1").partition(" ")
    if not key or not address or len(address) > MAX_ADDRESS_LENGTH or not address.isascii():
        return ""
    return address if hmac.compare_digest(mac.encode("latin-1"), _mac(key, address).encode()) else ""


def is_from_this_machine(headers: Mapping[bytes, bytes], forwarded_for: int, peer: str) -> bool:
    """Whether the request comes from a program on this machine. A proxy would add headers about its client."""
    return not forwarded_for and not any(name in headers for name in _OF_PROXIES) and is_loopback(peer)


def is_personal(headers: Mapping[bytes, bytes], forwarded_for: int, peer: str, *, hops: int) -> bool:
    """Whether ``peer`` is the address of one person, as far as this can be known: there are no proxies except the
    ``hops`` configured ones.

    ``forwarded_for`` is the number of addresses in ``X-Forwarded-For``. Without configured proxies, a private address
    does not count as a person's, because containers and port forwarding give all visitors the same one.
    """
    if hops:
        forwarded = headers.get(b"forwarded", b"").lower()
        return (
            forwarded_for == hops
            and CLIENT_ADDRESS not in headers
            and b"for=_" not in forwarded
            and b"for=unknown" not in forwarded
        )
    if forwarded_for or any(name in headers for name in _OF_PROXIES):
        return False
    try:
        return ipaddress.ip_address(peer.partition("%")[0]).is_global
    except ValueError:
        return False


@lru_cache(8192)
def is_private(address: str) -> bool:
    """Whether the address is internal: loopback, link-local, or in the private ranges of RFC 1918 and RFC 4193."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _PRIVATE)


def without_port(forwarded: str) -> str:
    """Remove the port that some proxies append to an entry of ``X-Forwarded-For`` (``192.0.2.1:4711``,
    ``[2001:db8::1]:4711``).

    Each connection has a different port. If it were part of the key, a client would never reach a rate limit.
    """
    if forwarded.startswith("["):
        return forwarded[1:].partition("]")[0]
    address, _, port = forwarded.partition(":")
    return address if port.isdecimal() else forwarded


def behind_private_proxies(peer: str, forwarded_for: Sequence[str]) -> tuple[str, int]:
    """Return the nearest address that is not private, and the number of proxies between it and this server.

    ``forwarded_for`` are the addresses in ``X-Forwarded-For``, to which each proxy appends the address that it saw. A
    proxy with a private address is trusted. If all addresses are private, the farthest one is returned. Express does
    the same with ``trust proxy`` set to ``loopback, linklocal, uniquelocal``.
    """
    nearest, passed = peer, 0
    for address in reversed(forwarded_for):
        if not is_private(nearest):
            break
        nearest, passed = address, passed + 1
    return nearest, passed


def _mac(key: Secret, address: str) -> str:
    return hmac.digest(key.reveal().encode(), f"client address\n{address}".encode(), sha256).hex()
