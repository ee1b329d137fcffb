"""Language of a request: the one chosen in this browser, otherwise the best match for the browser's Accept-Language. On
the pages of an OAuth request, the languages that the app requests take precedence over those of the browser.

Responses to programs are in English, because the protocol's clients show or log them as they are. E-mails that programs
request are in the language of the request.
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

_READER: ContextVar[str] = ContextVar("language_of_reader", default=SOURCE)


@contextmanager
def by_request(scope: Scope) -> Iterator[None]:
    """Context manager in which a request is handled: it sets the languages of the response and of e-mails."""
    before = _READER.get()
    tag = _requested_tag(scope)
    _READER.set(tag)
    try:
        with CATALOGUE.speaking(SOURCE if _is_for_programs(scope["path"]) else tag):
            yield
    finally:
        # The value is restored without a token, because a cancelled request may be unwound in another context.
        _READER.set(before)


@contextmanager
def requested_by_app(connection: HTTPConnection, tags: Sequence[str]) -> Iterator[None]:
    """Context manager in which pages and e-mails are in the first of these languages that is available. A language that
    the person chose in this browser takes precedence.
    """
    before = _READER.get()
    is_chosen = CATALOGUE.is_known(connection.cookies.get(COOKIE, ""))
    tag = before if is_chosen else CATALOGUE.negotiated(",".join(tags), before)
    _READER.set(tag)
    try:
        with CATALOGUE.speaking(tag):
            yield
    finally:
        _READER.set(before)


def reader_language() -> str:
    """Return the language tag for e-mails caused by the current request; English outside of requests."""
    return _READER.get()


def _is_for_programs(path: str) -> bool:
    return path.startswith(_FOR_PROGRAMS) and path.rstrip("/") != _CONSENT


def _requested_tag(scope: Scope) -> str:
    # Programs send neither header, and reading both would take longer than all other steps here.
    if scope["type"] != "http" or not any(name in _CHOICES for name, _ in scope["headers"]):
        return SOURCE
    connection = HTTPConnection(scope)
    cookie = connection.cookies.get(COOKIE, "")
    if cookie and CATALOGUE.is_known(cookie):
        return cookie
    return CATALOGUE.negotiated(connection.headers.get("accept-language", ""), SOURCE)
