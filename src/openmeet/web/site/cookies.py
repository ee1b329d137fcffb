"""Short-lived cookies of this host. Over https their names begin with ``__Host-`` (RFC 6265bis, section 4.1.3.2)."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from openmeet.web.site.services import services

# Enough time to sign in at another server or to read an e-mail.
_SECONDS = 2400


def read_cookie(connection: HTTPConnection, name: str) -> str:
    """The cookie's value. Empty if it is absent."""
    return connection.cookies.get(_full_name(connection, name), "")


def set_cookie(connection: HTTPConnection, response: Response, name: str, value: str) -> None:
    """Set a cookie for 40 minutes."""
    # Lax, because the user returns through a link from another site, which must send the cookie.
    response.set_cookie(
        _full_name(connection, name),
        value,
        max_age=_SECONDS,
        path="/",
        secure=services(connection).settings.is_https,
        httponly=True,
        samesite="lax",
    )


def forget_cookie(connection: HTTPConnection, response: Response, name: str) -> None:
    """Delete the cookie, if the browser sent it."""
    full_name = _full_name(connection, name)
    if full_name in connection.cookies:
        is_https = services(connection).settings.is_https
        response.delete_cookie(full_name, path="/", secure=is_https, httponly=True, samesite="lax")


def _full_name(connection: HTTPConnection, name: str) -> str:
    return f"__Host-{name}" if services(connection).settings.is_https else name
