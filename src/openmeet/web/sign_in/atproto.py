"""Signing in by one's own server: what this room asks of its surroundings, and what a browser carries meanwhile.

A browser that goes to another server keeps a secret here, by which it is known when it comes back: nobody can finish a sign-in
that somebody else began. Another cookie says which click was on its way when its person was asked to sign in.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import NotFound
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.repositories.clients import Network
from openmeet.settings import Settings

# As long as the way to another server and back may take, or the way to one's mailbox, and a little more.
_COOKIE_SECONDS = 2400
_BROWSER = "openmeet_authorizing"
_CLICK = "openmeet_click"

SIGNED_IN = "signed_in"


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose session it becomes; ``decide_at`` is a path where they have something to decide first, or empty."""

    user_id: UserId
    decide_at: str = ""


# The person behind a DID that somebody proved to hold (with its verified handle and its PDS), made where they are new here.
# The last argument is who is signed in and links it.
WhoseDid = Callable[[Transaction, Did, str, str, UserId | None], Awaitable[Whose]]


@dataclass(frozen=True, slots=True)
class Finished:
    """Where somebody who has just signed in goes, and what that page says once (a key of ``site.frame.SAID``)."""

    path: str
    said: str = SIGNED_IN


# Finishes the click that was on its way (the path that stands for it).
FinishClick = Callable[[Database, Caller, str], Awaitable[Finished]]


@dataclass(frozen=True, slots=True)
class NetworkSignIn:
    """What signing in by another server needs."""

    network: Network
    whose: WhoseDid


def network_sign_in(connection: HTTPConnection) -> NetworkSignIn:
    """Raises NotFound where this site does not offer it."""
    found: NetworkSignIn | None = connection.app.state.network_sign_in
    if found is None:
        raise NotFound("This site does not let people in by their own server.", name="NoNetworkSignIn")
    return found


def is_offered(connection: HTTPConnection) -> bool:
    """Whether people can be sent to their own server from here."""
    found: NetworkSignIn | None = connection.app.state.network_sign_in
    return found is not None and found.network.app is not None


def browser_secret(connection: HTTPConnection) -> str:
    """What this browser is known by; a new one where it has none. Two sign-ins of one browser share it."""
    known = connection.cookies.get(_name(connection, _BROWSER), "")
    return known if len(known) >= 32 else secrets.token_urlsafe(32)


def known_browser(connection: HTTPConnection) -> str:
    """The same; empty where this browser has asked for nothing."""
    return connection.cookies.get(_name(connection, _BROWSER), "")


def keep_browser_secret(connection: HTTPConnection, response: Response, secret: str) -> None:
    _set(connection, response, _BROWSER, secret)


def note_click(connection: HTTPConnection, response: Response, path: str) -> None:
    """Somebody who is not signed in pressed a button: remember it, in this browser alone, until they are."""
    _set(connection, response, _CLICK, path)


async def finish_click(connection: HTTPConnection, db: Database, caller: Caller, next_path: str) -> Finished:
    """Do what was clicked before signing in; where to go then. An address alone does nothing: the click was noted here."""
    finish: FinishClick | None = connection.app.state.finish_click
    noted = connection.cookies.get(_name(connection, _CLICK), "")
    if finish is None or not noted or noted != next_path:
        return Finished(next_path)
    return await finish(db, caller, next_path)


def forget_click(connection: HTTPConnection, response: Response) -> None:
    if _name(connection, _CLICK) in connection.cookies:
        settings: Settings = connection.app.state.settings
        response.delete_cookie(
            _name(connection, _CLICK), path="/", secure=settings.is_https, httponly=True, samesite="lax"
        )


def _name(connection: HTTPConnection, cookie: str) -> str:
    settings: Settings = connection.app.state.settings
    return f"__Host-{cookie}" if settings.is_https else cookie


def _set(connection: HTTPConnection, response: Response, cookie: str, value: str) -> None:
    settings: Settings = connection.app.state.settings
    # Lax: the way back is a link of another site, and must bring it.
    response.set_cookie(
        _name(connection, cookie),
        value,
        max_age=_COOKIE_SECONDS,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )
