"""How often one address may ask for codes and try codes and passwords; an e-mail address has its own limit in ``rules``.

Development mode has none: there everybody comes from the same machine, many at a time.
"""

from starlette.requests import Request

from groundwork.http.application import client_address, has_personal_address
from groundwork.rate_limit.contract import Limit, spend
from openmeet.web.site.services import services

# A household or a small office behind one address can sign up together; a script that mails strangers cannot.
CODES = Limit("codes", 20, 600)
# Tries of codes are limited per code; this bounds guessing at many codes at once.
CODE_TRIES = Limit("code_tries", 60, 600)
# On the way to another server and back: each asks several servers.
DEPARTURES = Limit("departures", 30, 300)
RETURNS = Limit("returns", 60, 300)
PASSWORDS = Limit("passwords", 30, 300)
# From one address: a stranger who guesses at a handle takes no try from its owner. How many guesses there are from everywhere
# is for the account's own server to say.
PASSWORDS_OF_ONE = Limit("passwords_of_one", 10, 300)


async def spend_on(request: Request, limit: Limit, key: str = "") -> None:
    """Count one attempt of this client (or of ``key``). Raises TooMany with the time at which to come back."""
    site = services(request)
    if site.settings.is_unlimited:
        return
    await spend(site.counters, [(limit, key or client_address(request))], now=site.clock.now())


async def spend_on_password(request: Request, handle: str) -> None:
    """Count one password that this client tries for a handle. Raises TooMany."""
    await spend_on(request, PASSWORDS)
    await spend_on(request, PASSWORDS_OF_ONE, f"{handle.strip().lower().removeprefix('@')} {client_address(request)}")


def visitors_address(request: Request) -> str:
    """Where the visitor is; empty where that cannot be known, behind a proxy that was not configured."""
    return client_address(request) if has_personal_address(request) else ""
