"""How often one address may ask for codes and try codes and passwords; an e-mail address has its own limit in ``rules``.

Development mode has none: there everybody comes from the same machine, many at a time.
"""

from starlette.requests import Request

from groundwork.http.application import client_address
from groundwork.rate_limit.contract import Limit, spend

# A household or a small office behind one address can sign up together; a script that mails strangers cannot.
CODES = Limit("codes", 20, 600)
# Tries of codes are limited per code; this bounds guessing at many codes at once.
CODE_TRIES = Limit("code_tries", 60, 600)
# On the way to another server and back: each asks several servers.
DEPARTURES = Limit("departures", 30, 300)
RETURNS = Limit("returns", 60, 300)
PASSWORDS = Limit("passwords", 30, 300)
# Whatever address it comes from: somebody else's handle cannot be tried for ever.
PASSWORDS_OF_ONE = Limit("passwords_of_one", 10, 300)


async def spend_on(request: Request, limit: Limit, key: str = "") -> None:
    """Count one attempt of this client (or of ``key``). Raises TooMany with the time at which to come back."""
    state = request.app.state
    if state.settings.dev_mode:
        return
    await spend(state.counters, [(limit, key or client_address(request))], now=state.clock.now())
