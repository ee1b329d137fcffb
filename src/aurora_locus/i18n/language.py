"""Language of a request: the one chosen in this browser, otherwise the best match for the browser's Accept-Language. On
the pages of an OAuth request, the languages that the app requests take precedence over those of the browser.

Responses to programs are in English, because the protocol's clients show or log them as they are. E-mails are in the
language of the request that causes them, otherwise in the language that the account used last
(``accounts.queries.mail_language``).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.requests import HTTPConnection
from starlette.types import Scope

from aurora_locus.i18n.catalogue import CATALOGUE, SOURCE

COOKIE = "aurora_language"

# The headers that choose a language.
_CHOICES = (b"accept-language", b"cookie")

_FOR_PROGRAMS = ("/xrpc/", "/oauth/", "/.well-known/")
# The only address below ``/oauth/`` that is a page.
_CONSENT = "/oauth/authorize"

# Empty if the request states no available language, and outside of requests.
_STATED: ContextVar[str] = ContextVar("stated_language", default="")


@contextmanager
def by_request(scope: Scope) -> Iterator[None]:
    """Context manager in which a request is handled: it sets the languages of the response and of e-mails."""
    before = _STATED.get()
    tag = _stated_tag(scope)
    _STATED.set(tag)
    try:
        with CATALOGUE.speaking(SOURCE if _is_for_programs(scope["path"]) else tag or SOURCE):
            yield
    finally:
        # The value is restored without a token, because a cancelled request may be unwound in another context.
        _STATED.set(before)


@contextmanager
def requested_by_app(connection: HTTPConnection, tags: Sequence[str]) -> Iterator[None]:
    """Context manager in which pages and e-mails are in the first of these languages that is available. A language that
    the person chose in this browser takes precedence.
    """
    before = _STATED.get()
    is_chosen = CATALOGUE.is_known(connection.cookies.get(COOKIE, ""))
    tag = before if is_chosen else CATALOGUE.negotiated(",".join(tags), before)
    _STATED.set(tag)
    try:
        with CATALOGUE.speaking(tag or SOURCE):
            yield
    finally:
        _STATED.set(before)


def stated_language() -> str:
    """Return the tag of the language that the current request states: chosen in this browser, or asked for by the browser
    or the app. Empty if it states none that is available, and outside of requests.
    """
    return _STATED.get()


def _is_for_programs(path: str) -> bool:
    return path.startswith(_FOR_PROGRAMS) and path.rstrip("/") != _CONSENT


def _stated_tag(scope: Scope) -> str:
    # Programs send neither header, and reading both would take longer than all other steps here.
    if scope["type"] != "http" or not any(name in _CHOICES for name, _ in scope["headers"]):
        return ""
    connection = HTTPConnection(scope)
    cookie = connection.cookies.get(COOKIE, "")
    if cookie and CATALOGUE.is_known(cookie):
        return cookie
    return CATALOGUE.negotiated(connection.headers.get("accept-language", ""), "")
