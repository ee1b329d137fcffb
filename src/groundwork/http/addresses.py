"""Public IP addresses: the block list behind every call to an untrusted URL (invariant 7).

``ipaddress.is_global`` alone is not enough: it accepts NAT64, 6to4, Teredo relays, site-local and multicast addresses,
all of which can lead to a private network. Addresses that embed another address are blocked by their prefix, because
none of them is needed to reach a public server.
"""

import ipaddress

# Ranges that `is_global` does not block, each with the registry entry or RFC that makes it dangerous.
_BLOCKED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this network"; 0.0.0.0 reaches loopback on Linux
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; used for cloud metadata services
        "192.0.0.0/24",  # IETF protocol assignments, including the DS-Lite and NAT64 discovery addresses
        "192.88.99.0/24",  # 6to4 relay anycast, RFC 7526
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved and broadcast
        "::/8",  # unspecified, loopback, v4-mapped, v4-compatible, v4-translated
        "64:ff9b::/96",  # NAT64, RFC 6052: any IPv4 address, including private ones
        "64:ff9b:1::/48",  # local-use NAT64, RFC 8215
        "100::/64",  # discard, RFC 6666
        "2001::/23",  # protocol assignments, including Teredo, RFC 2928
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, RFC 3056: embeds any IPv4 address
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # segment routing, RFC 9602
        "fc00::/7",  # unique local
        "fe80::/10",  # link local
        "fec0::/10",  # site local, deprecated but still routed by some networks
        "ff00::/8",  # multicast
    )
)

_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")


def is_public(text: str) -> bool:
    """True for a global unicast address that does not embed another address. False for anything that cannot be parsed.

    Only canonical text forms are accepted; ``127.1``, octal and hexadecimal forms are not. The operating system might
    interpret them, but its result is checked again when the socket is opened.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST_V6:
        return False
    if any(address.version == network.version and address in network for network in _BLOCKED):
        return False
    return address.is_global and not address.is_multicast


def network_of(text: str, *, ipv6_prefix: int = 64) -> str:
    """Return the network that rate limits count by: an IPv4 address, or the network of an IPv6 address with this prefix.
    One household shares a /64.

    An IPv4 address embedded in an IPv6 address counts as that IPv4 address. Anything else is returned unchanged.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address.packed, ipv6_prefix), strict=False))


def is_loopback(text: str) -> bool:
    """True for this machine's own addresses. Only they may see the development mailbox."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
