"""Rate limits per client network for codes and passwords; ``domain.sign_in.model`` has the limits per e-mail address."""

from starlette.requests import Request

from groundwork.http.application import client_address, client_network, has_personal_address
from groundwork.rate_limit.contract import Limit
from openmeet.web.site.rate_limits import spend_on

# A household or a small office behind one address can sign up together; a script that mails strangers cannot.
CODES = Limit("codes", 20, 600)
# Tries are limited per code; this bounds guessing at many codes at once.
CODE_TRIES = Limit("code_tries", 60, 600)
# Starting or finishing OAuth: each makes requests to several servers.
DEPARTURES = Limit("departures", 30, 300)
RETURNS = Limit("returns", 60, 300)
PASSWORDS = Limit("passwords", 30, 300)
# Per client network, so that a stranger's guesses at a handle do not lock its owner out. The PDS itself limits guesses
# from everywhere.
PASSWORDS_OF_ONE = Limit("passwords_of_one", 10, 300)


async def spend_on_password(request: Request, handle: str) -> None:
    """Count one password attempt of this client for a handle. Raises TooMany."""
    await spend_on(request, PASSWORDS)
    await spend_on(request, PASSWORDS_OF_ONE, f"{handle.strip().lower().removeprefix('@')} {client_network(request)}")


def visitors_address(request: Request) -> str:
    """The client's address; empty if unknown, behind a proxy that was not configured."""
    return client_address(request) if has_personal_address(request) else ""
