"""Rate limits of XRPC methods and pages.

In development all requests come from one address and tests create thousands of accounts. So every limit is multiplied
by a thousand in development, unless the operator turns normal limits on.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import blake2b

from aurora_locus.accounts.registry import Registry
from groundwork.http.addresses import network_of
from groundwork.http.client_addresses import is_private
from groundwork.rate_limit.contract import Limit, LimitState, spend

# The same limit as for XRPC requests. A whole office stays far below it; a runaway program exceeds it.
PAGES = Limit("pages", 3000, 5 * 60)
CREATE_ACCOUNT = Limit("create_account", 100, 5 * 60)
SIGN_IN = Limit("create_session", 30, 5 * 60)
SIGN_IN_DAILY = Limit("create_session_daily", 300, 86400)
# The server-wide limit per address. It is applied to sign-ins separately, because each sign-in costs a password hash.
SIGN_IN_ADDRESS = Limit("create_session_address", 3000, 5 * 60)
WRONG_PASSWORDS = Limit("wrong_passwords", 100, 86400)
# The administrator password gives access to everything, so each address gets few guesses over all endpoints together.
OPERATOR_SIGN_IN = Limit("operator_sign_in", 10, 5 * 60)
OPERATOR_GUESSES = Limit("operator_guesses", 100, 86400)
# Each account is sent only a few such e-mails, no matter who requests them. This limit bounds the number of accounts
# for which one address can request them.
SIGN_IN_LINK = Limit("sign_in_link", 100, 5 * 60)
# Anyone can reserve a key, and each is stored for a month.
RESERVE_KEY = Limit("reserve_signing_key", 20, 5 * 60)
RESET_PASSWORD = Limit("reset_password", 50, 5 * 60)
DELETE_ACCOUNT = Limit("delete_account", 50, 5 * 60)
# Each call sends an e-mail that the recipient may not have requested.
REQUEST_PASSWORD_RESET = (Limit("request_password_reset", 15, 3600), Limit("request_password_reset_daily", 50, 86400))
REQUEST_CONFIRMATION = (Limit("request_confirmation", 5, 3600), Limit("request_confirmation_daily", 15, 86400))
REQUEST_EMAIL_UPDATE = (Limit("request_email_update", 5, 3600), Limit("request_email_update_daily", 15, 86400))
REQUEST_DELETION = (Limit("request_deletion", 5, 3600), Limit("request_deletion_daily", 15, 86400))
UPDATE_HANDLE = Limit("update_handle", 10, 5 * 60)
UPDATE_HANDLE_DAILY = Limit("update_handle_daily", 50, 86400)
# Three of a million codes are valid at any time, so fifty guesses a day find one in eighteen years.
SECOND_FACTOR = (Limit("second_factor", 10, 15 * 60), Limit("second_factor_daily", 50, 86400))
SIGN_IN_EMAIL = (Limit("sign_in_email", 5, 3600), Limit("sign_in_email_daily", 30, 86400))
# Points of an account's writes, as the reference server counts them.
WRITES = Limit("writes", 5000, 3600)
WRITES_DAILY = Limit("writes_daily", 35_000, 86_400)
CREATION_POINTS, UPDATE_POINTS, DELETION_POINTS = 3, 2, 1
UPLOADS_DAILY = Limit("uploads_daily", 1000, 86_400)
# Each import can take a minute of CPU and occupy the writer for seconds. A migration may need a few attempts.
IMPORTS = Limit("imports", 30, 3600)
# To backfill, a relay lists all accounts and fetches each. The reference server allows this rate.
GET_REPO = Limit("get_repo", 6000, 5 * 60)
LIST_REPOS = Limit("list_repos", 3000, 5 * 60)
# Frequent reporters are useful, but moderators must look at each report.
CREATE_REPORT = (Limit("create_report", 60, 3600), Limit("create_report_daily", 300, 86400))
# The same limits as for other requests that send an e-mail.
REQUEST_SIGNATURE = (Limit("request_plc_signature", 5, 3600), Limit("request_plc_signature_daily", 15, 86400))

# Each call contacts two servers of the caller's choice.
CHECK_HANDLE = Limit("check_handle", 30, 5 * 60)
# Each call makes a server of the caller's choice create an account.
MOVE = Limit("move", 10, 3600)
# Each export scans all data of an account.
EXPORT = Limit("export", 10, 3600)

_DEVELOPMENT_FACTOR = 1000

# Factor for an address that many clients share. While in use, an app makes about eight requests a minute (feeds and
# notifications, without images) and refreshes its session every hour or two. So 5,000 concurrent people make 200,000
# requests in five minutes, which is less than a hundred times the limit of one address.
_SHARED_FACTOR = 100

# Expensive requests that cannot be charged to an account: an identity in the public directory, a password hash, an
# e-mail to anyone, a stored key. Few of 5,000 people need one within a window, so the limit can be tight. It also
# bounds what a single attacker can do to such a server.
_SHARED_FACTORS = {
    CREATE_ACCOUNT: 3,
    SIGN_IN_ADDRESS: 5,
    SIGN_IN_LINK: 5,
    RESERVE_KEY: 5,
    RESET_PASSWORD: 5,
    DELETE_ACCOUNT: 3,
    **dict.fromkeys(REQUEST_PASSWORD_RESET, 10),
}


async def count_request(registry: Registry, charges: Sequence[tuple[Limit, str]]) -> LimitState | None:
    """Count one request of a page or of an OAuth endpoint against every limit. Return the tightest state; None if the
    operator turned limits off. Raises RateLimited.

    Attempts to enter a password or a second factor are always counted, so they do not use this function.
    """
    if not registry.counts_requests:
        return None
    return await spend(registry.counters, charges, now=registry.clock.now())


def effective_limit(registry: Registry, limit: Limit) -> Limit:
    """Return the limit as it applies on this server."""
    return widen(limit) if registry.has_wide_limits else limit


def address_charge(registry: Registry, limit: Limit, address: str) -> tuple[Limit, str]:
    """Return the limit of a client address as it applies on this server, and the key by which requests are counted."""
    own_limit = of_address(limit, address, is_shared=registry.shares_private_addresses)
    return effective_limit(registry, own_limit), network_of(address)


def of_address(limit: Limit, address: str, *, is_shared: bool) -> Limit:
    """Return the limit for an address. It is wider for a private address if ``is_shared`` is True: many clients may
    then be behind such addresses, because a proxy does not pass on the client's address. Accounts and typed names have
    counters of their own.
    """
    return shared(limit) if is_shared and is_private(address) else limit


@cache
def shared(limit: Limit) -> Limit:
    """Return the limit for an address that thousands of clients may share."""
    return replace(limit, points=limit.points * _SHARED_FACTORS.get(limit, _SHARED_FACTOR))


@cache
def widen(limit: Limit) -> Limit:
    """Return the limit as it applies in development: a thousand times as wide."""
    return replace(limit, points=limit.points * _DEVELOPMENT_FACTOR)


def key_of_identifier(identifier: str) -> str:
    """Hash an identifier as typed, ignoring case and a leading @. The hash has a fixed size, so that long input cannot
    fill the memory of the counters.
    """
    return blake2b(identifier.strip().lower().removeprefix("@").encode(errors="replace"), digest_size=16).hexdigest()
