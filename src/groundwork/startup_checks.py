"""Startup checks: settings that are dangerous on a server with a public host name. Pure.

A program passes its host names and the dangerous options that are switched on, with the setting of each. Each
combination of a public host and a danger is rejected with a sentence that names the setting.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from enum import StrEnum


class UnsafeOption(StrEnum):
    """An option that is acceptable on a laptop but dangerous in public. The value is the reason, as the end of a
    sentence.
    """

    BUILT_IN_DIRECTORY = "uses the built-in PLC directory, whose identities are unknown to other servers"
    DEVELOPMENT_MAILBOX = "shows all e-mail on a page instead of sending it"
    DEV_MODE = "switches on development mode, which relaxes security checks"
    NO_SSRF_PROTECTION = "allows untrusted URLs to reach the private network"
    DEFAULT_PASSWORD = "is the password from the documentation"  # noqa: S105  # a sentence
    PLAIN_HTTP = "sends passwords and tokens without encryption"


# Names that never leave a machine or a local network: RFC 6761, RFC 6762, RFC 9476 (.alt), ICANN's .internal.
_LOCAL_SUFFIXES = ("localhost", "test", "example", "invalid", "local", "internal", "alt", "home.arpa")


def is_public_host(host: str) -> bool:
    """Whether this host can be reached from outside: a name in public DNS, or a public address."""
    bare = host.strip().rstrip(".").lower().strip("[]")
    if not bare:
        return False
    try:
        return ipaddress.ip_address(bare).is_global
    except ValueError:
        pass
    is_local = any(bare == suffix or bare.endswith("." + suffix) for suffix in _LOCAL_SUFFIXES)
    # A name without a dot is resolved by the local network or not at all.
    return "." in bare and not is_local


def is_own_machine(host: str) -> bool:
    """Whether this host is the machine itself, without looking up names in the network."""
    bare = host.strip().rstrip(".").lower().strip("[]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")


def dangers_of(hosts: Iterable[str], switched_on: Mapping[UnsafeOption, str]) -> list[str]:
    """Return one sentence per danger. ``switched_on`` maps each danger to the setting that causes it."""
    public = next((host for host in hosts if is_public_host(host)), None)
    if public is None:
        return []
    return [
        f"{name} {danger.value}, which is not allowed with the public host name {public}. Change {name}, or use a "
        "local host name."
        for danger, name in switched_on.items()
    ]
