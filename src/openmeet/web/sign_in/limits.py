"""Rate limits per client network for codes and passwords. The limits per e-mail address are in
``domain.sign_in.model``.
"""

from starlette.requests import Request

from groundwork.http.application import client_address, client_network, has_personal_address
from groundwork.rate_limit.contract import Limit
from openmeet.web.site.rate_limits import spend_on

# Enough for a household or a small office that shares one address. Too few for a script that sends e-mail to random
# addresses.
CODES = Limit("codes", 20, 600)
# Attempts are already limited per code. This limits guessing at many codes at once.
CODE_TRIES = Limit("code_tries", 60, 600)
# Starting or finishing OAuth. Each makes requests to several servers.
DEPARTURES = Limit("departures", 30, 300)
RETURNS = Limit("returns", 60, 300)
PASSWORDS = Limit("passwords", 30, 300)
# Counted per client network. Somebody who guesses the password of another person's handle does not lock out its owner.
# The PDS itself limits attempts from all networks.
PASSWORDS_OF_ONE = Limit("passwords_of_one", 10, 300)


async def spend_on_password(request: Request, handle: str) -> None:
    """Count one password attempt of this client for a handle. Raises TooMany."""
    await spend_on(request, PASSWORDS)
    await spend_on(request, PASSWORDS_OF_ONE, f"{handle.strip().lower().removeprefix('@')} {client_network(request)}")


def visitors_address(request: Request) -> str:
    """The client's address. Empty if it is unknown because of a proxy that is not configured."""
    return client_address(request) if has_personal_address(request) else ""
