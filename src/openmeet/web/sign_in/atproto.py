"""Signing in by one's own server: whether this site offers it, and what a browser carries meanwhile.

A browser that goes to another server keeps a secret here, by which it is known when it comes back: nobody can finish a sign-in
that somebody else began.
"""

import secrets

from starlette.requests import HTTPConnection
from starlette.responses import Response

from groundwork.errors import NotFound
from openmeet.network.repositories.clients import NetworkClients
from openmeet.web.site.cookies import read_cookie, set_cookie
from openmeet.web.site.services import services

_BROWSER = "openmeet_authorizing"


def network_of(connection: HTTPConnection) -> NetworkClients:
    """What reaches people's own servers. Raises NotFound where this site does not offer signing in by them."""
    found = services(connection).network
    if found is None:
        raise NotFound("This site does not let people in by their own server.", name="NoNetworkSignIn")
    return found


def is_offered(connection: HTTPConnection) -> bool:
    """Whether people can be sent to their own server from here."""
    found = services(connection).network
    return found is not None and found.app is not None


def browser_secret(connection: HTTPConnection) -> str:
    """What this browser is known by; a new one where it has none. Two sign-ins of one browser share it."""
    known = known_browser(connection)
    return known if len(known) >= 32 else secrets.token_urlsafe(32)


def known_browser(connection: HTTPConnection) -> str:
    """The same; empty where this browser has asked for nothing."""
    return read_cookie(connection, _BROWSER)


def keep_browser_secret(connection: HTTPConnection, response: Response, secret: str) -> None:
    set_cookie(connection, response, _BROWSER, secret)
