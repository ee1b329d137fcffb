"""Rate limits of account requests, shared by XRPC methods and pages.

In development everything comes from one address and tests create thousands of accounts: the same limits, a thousand
times as wide, unless the operator turns them on.
"""

from dataclasses import replace
from functools import cache
from hashlib import blake2b

from aurora_locus.accounts.registry import Registry
from groundwork.http.client_addresses import is_private
from groundwork.rate_limit.contract import Limit

# As many as XRPC requests: an office never comes near it, a program does.
PAGES = Limit("pages", 3000, 5 * 60)
CREATE_ACCOUNT = Limit("create_account", 100, 5 * 60)
SIGN_IN = Limit("create_session", 30, 5 * 60)
SIGN_IN_DAILY = Limit("create_session_daily", 300, 86400)
# The server-wide limit per address; each sign-in costs a hash, so here it matters most.
SIGN_IN_ADDRESS = Limit("create_session_address", 3000, 5 * 60)
WRONG_PASSWORDS = Limit("wrong_passwords", 100, 86400)
# The administrator password opens everything: few guesses per address, whichever endpoint is tried.
OPERATOR_SIGN_IN = Limit("operator_sign_in", 10, 5 * 60)
OPERATOR_GUESSES = Limit("operator_guesses", 100, 86400)
# Each account gets few such e-mails, no matter who asks; this bounds the accounts per address.
SIGN_IN_LINK = Limit("sign_in_link", 100, 5 * 60)
# Anyone may reserve a key, and each is stored for a month.
RESERVE_KEY = Limit("reserve_signing_key", 20, 5 * 60)
RESET_PASSWORD = Limit("reset_password", 50, 5 * 60)
DELETE_ACCOUNT = Limit("delete_account", 50, 5 * 60)
# Each call sends an e-mail to somebody who may not have asked for it.
REQUEST_PASSWORD_RESET = (Limit("request_password_reset", 15, 3600), Limit("request_password_reset_daily", 50, 86400))
REQUEST_CONFIRMATION = (Limit("request_confirmation", 5, 3600), Limit("request_confirmation_daily", 15, 86400))
REQUEST_EMAIL_UPDATE = (Limit("request_email_update", 5, 3600), Limit("request_email_update_daily", 15, 86400))
REQUEST_DELETION = (Limit("request_deletion", 5, 3600), Limit("request_deletion_daily", 15, 86400))
UPDATE_HANDLE = Limit("update_handle", 10, 5 * 60)
UPDATE_HANDLE_DAILY = Limit("update_handle_daily", 50, 86400)
# Of a million codes three are valid at any time: fifty guesses a day find one in eighteen years.
SECOND_FACTOR = (Limit("second_factor", 10, 15 * 60), Limit("second_factor_daily", 50, 86400))
SIGN_IN_EMAIL = (Limit("sign_in_letter", 5, 3600), Limit("sign_in_letter_daily", 30, 86400))
# As every request that sends an e-mail.
REQUEST_SIGNATURE = (Limit("request_plc_signature", 5, 3600), Limit("request_plc_signature_daily", 15, 86400))

# Each contacts two servers of the caller's choice.
CHECK_HANDLE = Limit("check_handle", 30, 5 * 60)
# Each contacts a server of the caller's choice, which creates an account.
MOVE = Limit("move", 10, 3600)
# Scans all data of an account.
EXPORT = Limit("export", 10, 3600)

_DEVELOPMENT_FACTOR = 1000

# Factor for an address that many clients share. An app makes about eight requests a minute while in use (feeds and
# notifications; images apart) and refreshes its session every hour or two: 5,000 concurrent people make 200,000
# requests in five minutes, which is less than a hundred times what one address may make.
_SHARED_FACTOR = 100

# Expensive requests that no account can be charged for: an identity in the public directory, a password hash, an e-mail
# to a stranger, a stored key. Few of 5,000 people want one within a window, so the bound can be tight; it is also what
# one stranger may do to such a server.
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
    """The limit as configured on this server."""
    return widened(limit) if registry.has_wide_limits else limit


def of_address(limit: Limit, address: str, *, is_shared: bool) -> Limit:
    """The limit of an address; wide if ``is_shared`` says that private addresses may be shared and this one is private:
    behind a proxy that names no client. Accounts and typed names have counts of their own.
    """
    return shared(limit) if is_shared and is_private(address) else limit


@cache
def shared(limit: Limit) -> Limit:
    """The limit of an address that thousands may share."""
    return replace(limit, points=limit.points * _SHARED_FACTORS.get(limit, _SHARED_FACTOR))


@cache
def widened(limit: Limit) -> Limit:
    """The same limit as it is in development: a thousand times as wide."""
    return replace(limit, points=limit.points * _DEVELOPMENT_FACTOR)


def key_of_identifier(typed: str) -> str:
    """An identifier as typed, ignoring case and a leading @, hashed to a fixed size: input from strangers must not fill
    the counters' memory.
    """
    return blake2b(typed.strip().lower().removeprefix("@").encode(errors="replace"), digest_size=16).hexdigest()
