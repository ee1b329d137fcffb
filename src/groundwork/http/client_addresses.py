"""Client addresses: where a request comes from, and whether the address belongs to one person.

Behind a proxy that was not configured everybody has the proxy's address, and behind a web service that signs people in
everybody has the service's. Such an address may be counted for limits, never trusted. A service that shares a secret
with this server names its visitor's address in a signed header; one that does not says with an obfuscated identifier
(RFC 7239, section 6.3) that it acts for others.
"""

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from groundwork.settings import Secret

CLIENT_ADDRESS = b"x-client-address"
# Header of requests on behalf of people, to servers that share no secret with us.
FOR_SOMEBODY = {"forwarded": "for=_visitor"}

# Headers by which these proxies identify themselves, beside X-Forwarded-For.
_OF_PROXIES = (b"forwarded", b"via", b"x-real-ip", CLIENT_ADDRESS)

_MAX_ADDRESS = 64

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


def vouch(key: Secret, address: str) -> dict[str, str]:
    """The header by which a service names its visitor's address to a server with the same key."""
    return {CLIENT_ADDRESS.decode(): f"{address} {_mac(key, address)}"}


def vouched_address(key: Secret, headers: Mapping[bytes, bytes]) -> str:
    """The visitor's address as named by a service with our key; empty where there is none, or the signature is wrong."""
    address, _, mac = headers.get(CLIENT_ADDRESS, b"").decode("latin-1").partition(" ")
    if not key or not address or len(address) > _MAX_ADDRESS or not address.isascii():
        return ""
    return address if hmac.compare_digest(mac.encode("latin-1"), _mac(key, address).encode()) else ""


def is_from_this_machine(headers: Mapping[bytes, bytes], forwarded_for: int, peer: str) -> bool:
    """Whether a program on the server's own machine makes the request itself: proxies name their client."""
    if forwarded_for or any(name in headers for name in _OF_PROXIES):
        return False
    try:
        return ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_personal(headers: Mapping[bytes, bytes], forwarded_for: int, peer: str, *, hops: int) -> bool:
    """Whether ``peer`` is a person's address, as far as can be known: no proxies but the ``hops`` configured ones.

    ``forwarded_for``: how many addresses the request's ``X-Forwarded-For`` has. Without configured proxies a private
    address is not a person's: containers and port forwarding give all visitors the same one.
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
    """Whether the network is internal: loopback, link-local, or the private ranges of RFC 1918 and RFC 4193."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _PRIVATE)


def without_port(forwarded: str) -> str:
    """An entry of ``X-Forwarded-For`` without the port that some proxies append (``192.0.2.1:4711``, ``[2001:db8::1]:4711``).

    Each connection has another port: counted with it, a client would never reach a limit.
    """
    if forwarded.startswith("["):
        return forwarded[1:].partition("]")[0]
    address, _, port = forwarded.partition(":")
    return address if port.isdecimal() else forwarded


def behind_private_proxies(peer: str, forwarded_for: Sequence[str]) -> tuple[str, int]:
    """The nearest address that is not private, and how many proxies stand between it and us.

    ``forwarded_for``: the value of ``X-Forwarded-For``, to which each proxy appends what it saw; a proxy with a private
    address is trusted. Where all are private it is the farthest. Express does the same with ``trust proxy`` set to
    ``loopback, linklocal, uniquelocal``.
    """
    nearest, passed = peer, 0
    for farther in reversed(forwarded_for):
        if not is_private(nearest):
            break
        nearest, passed = farther, passed + 1
    return nearest, passed


def _mac(key: Secret, address: str) -> str:
    return hmac.digest(key.reveal().encode(), f"client address\n{address}".encode(), sha256).hex()
