"""Browser cookies: one for the browser, one for its session, and one that recognizes known devices but grants no
access.

Over https their names begin with ``__Host-``. Browsers then accept them only from this host and only if Secure (RFC
6265bis, section 4.1.3.2), so a page on a handle below our domain cannot set them. With SameSite=Lax, visitors who
follow a link from an app are signed in, while forms on another site do not send the cookies.
"""

import re

from starlette.requests import HTTPConnection
from starlette.responses import Response

from aurora_locus.accounts.browser_sessions import REMEMBERED
from aurora_locus.web.site.services import services
from groundwork.clock import DAY, SECOND
from groundwork.http.application import add_header

BROWSER = "aurora_browser"
SESSION = "aurora_session"
KNOWN = "aurora_known"

# The longest lifetime that browsers accept (RFC 6265bis, section 5.5).
_KNOWN_FOR = 400 * DAY

_FORM = re.compile(r"[A-Za-z0-9_-]{22}")
_CHANGES = "aurora_locus.cookies"


def read(connection: HTTPConnection, name: str) -> str:
    """Return the identifier in a cookie; empty if the cookie is absent or malformed."""
    value = connection.cookies.get(_full_name(connection, name), "")
    return value if _FORM.fullmatch(value) else ""


def change(connection: HTTPConnection, name: str, value: str, *, stays: bool = False) -> None:
    """Set a cookie with the response to this request; an empty value deletes it. With ``stays`` it lasts a week
    (``KNOWN`` a year), otherwise until the browser is closed. If a cookie is set twice, the last value is sent.
    """
    connection.scope.setdefault(_CHANGES, {})[name] = (value, stays)


def send(connection: HTTPConnection) -> None:
    """Add the changed cookies to the response, including error responses."""
    response = Response()
    for name, (value, stays) in connection.scope.pop(_CHANGES, {}).items():
        response.set_cookie(
            _full_name(connection, name),
            value,
            max_age=0 if not value else _max_age(name) // SECOND if stays else None,
            path="/",
            secure=services(connection).site.is_https,
            httponly=True,
            samesite="lax",
        )
    for value in response.headers.getlist("set-cookie"):
        add_header(connection, "set-cookie", value)


def _max_age(name: str) -> int:
    return _KNOWN_FOR if name == KNOWN else REMEMBERED


def _full_name(connection: HTTPConnection, name: str) -> str:
    return f"__Host-{name}" if services(connection).site.is_https else name
