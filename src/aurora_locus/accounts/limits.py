"""How often the things that accounts are asked for may be asked, whichever way they are: by a method or on a page.

In development everything comes from one address and tests make thousands of accounts: the same limits, a thousand times
as wide, unless the operator says that limits are on.
"""

import ipaddress
from dataclasses import replace
from functools import cache
from hashlib import blake2b

from aurora_locus.accounts.registry import Registry
from groundwork.http.client_addresses import is_private
from groundwork.rate_limit.contract import Limit

CREATE_ACCOUNT = Limit("create_account", 100, 5 * 60)
SIGN_IN = Limit("create_session", 30, 5 * 60)
SIGN_IN_DAILY = Limit("create_session_daily", 300, 86400)
# The whole server's limit per address; each sign-in costs a hash, so here it matters most.
SIGN_IN_ADDRESS = Limit("create_session_address", 3000, 5 * 60)
WRONG_PASSWORDS = Limit("wrong_passwords", 100, 86400)
# Whoever has the administration's password has everything: from one place, guesses are few, whichever door is tried.
OPERATOR_SIGN_IN = Limit("operator_sign_in", 10, 5 * 60)
OPERATOR_GUESSES = Limit("operator_guesses", 100, 86400)
# Each account gets few such e-mails whoever asks; this bounds how many accounts one address asks for.
SIGN_IN_LINK = Limit("sign_in_link", 100, 5 * 60)
# Anybody may reserve a key, and each is kept for a month.
RESERVE_KEY = Limit("reserve_signing_key", 20, 5 * 60)
RESET_PASSWORD = Limit("reset_password", 50, 5 * 60)
DELETE_ACCOUNT = Limit("delete_account", 50, 5 * 60)
# Each call is a letter to somebody who may not have asked for it.
REQUEST_PASSWORD_RESET = (Limit("request_password_reset", 15, 3600), Limit("request_password_reset_daily", 50, 86400))
REQUEST_CONFIRMATION = (Limit("request_confirmation", 5, 3600), Limit("request_confirmation_daily", 15, 86400))
REQUEST_EMAIL_UPDATE = (Limit("request_email_update", 5, 3600), Limit("request_email_update_daily", 15, 86400))
REQUEST_DELETION = (Limit("request_deletion", 5, 3600), Limit("request_deletion_daily", 15, 86400))
UPDATE_HANDLE = Limit("update_handle", 10, 5 * 60)
UPDATE_HANDLE_DAILY = Limit("update_handle_daily", 50, 86400)
# Three of a million codes are good at any time: fifty tries a day find one in eighteen years.
SECOND_FACTOR = (Limit("second_factor", 10, 15 * 60), Limit("second_factor_daily", 50, 86400))
SIGN_IN_LETTER = (Limit("sign_in_letter", 5, 3600), Limit("sign_in_letter_daily", 30, 86400))
# As every request that makes a letter.
REQUEST_SIGNATURE = (Limit("request_plc_signature", 5, 3600), Limit("request_plc_signature_daily", 15, 86400))

# Each asks two servers of the person's choice.
CHECK_HANDLE = Limit("check_handle", 30, 5 * 60)
# Each speaks to a server of the person's choice, which makes an account.
MOVE = Limit("move", 10, 3600)
# Reads everything that an account has.
EXPORT = Limit("export", 10, 3600)

_DEVELOPMENT_FACTOR = 1000

# How many times as often an address may ask that is everybody's. An app asks about eight times a minute while it is looked at
# (feeds, notifications, pictures apart) and refreshes its session every hour or two: 5,000 people at the same time make 200,000
# requests in five minutes, which is less than a hundred times what one address may.
_SHARED_FACTOR = 100

# What costs more than an answer, with no account of the caller's to count it against: an identity in the public directory, a hash
# of a password, an e-mail to a stranger, a key that is kept. So few of 5,000 people want it within one window that the bound can
# be close; the same bound is what one stranger may do to such a server.
_SHARED_FACTORS = {
    CREATE_ACCOUNT: 3,
    SIGN_IN_ADDRESS: 5,
    SIGN_IN_LINK: 5,
    RESERVE_KEY: 5,
    RESET_PASSWORD: 5,
    DELETE_ACCOUNT: 3,
    **dict.fromkeys(REQUEST_PASSWORD_RESET, 10),
}


def effective(registry: Registry, limit: Limit) -> Limit:
    """The limit as it holds on this server."""
    return widened(limit) if registry.has_wide_limits else limit


def of_address(limit: Limit, address: str, *, is_shared: bool) -> Limit:
    """The limit of an address, which is everybody's where ``is_shared`` says that a private one may be and it is private: behind a
    proxy that names nobody. Accounts and typed names have counts of their own.
    """
    return shared(limit) if is_shared and is_private(address) else limit


@cache
def shared(limit: Limit) -> Limit:
    """The limit of an address that thousands may have."""
    return replace(limit, points=limit.points * _SHARED_FACTORS.get(limit, _SHARED_FACTOR))


@cache
def widened(limit: Limit) -> Limit:
    """The limit as it holds in development."""
    return replace(limit, points=limit.points * _DEVELOPMENT_FACTOR)


def key_of_identifier(typed: str) -> str:
    """An identifier as typed, case and a leading @ apart, in a fixed size: what strangers send must not fill the counters' memory."""
    return blake2b(typed.strip().lower().removeprefix("@").encode(errors="replace"), digest_size=16).hexdigest()


def network_of(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
