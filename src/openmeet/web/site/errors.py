"""Error pages: one sentence about the error and one next step. No internal details."""

from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from groundwork.database.transaction import DATABASE_FAILURES
from groundwork.http.faults import Fault
from groundwork.http.forms import local_path
from groundwork.rate_limit.contract import RateLimited
from openmeet.domain.covers.model import Cover, Motif
from openmeet.domain.validation import INVALID_LINK, TOO_FAR_AHEAD
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.i18n.reasons.messages import explain
from openmeet.web.site.layout import page
from openmeet.web.site.rate_limits import duration
from openmeet.web.site.services import services

_HEADINGS = {
    400: lazy("We couldn’t read that"),
    401: lazy("Sign in first"),
    403: lazy("You can’t do this here"),
    404: lazy("We can’t find that page"),
    405: lazy("This page can’t do that"),
    409: lazy("Somebody got there first"),
    410: lazy("This is no longer here"),
    412: lazy("It has changed since"),
    413: lazy("That’s too much at once"),
    422: lazy("That isn’t possible"),
    429: lazy("Wait a moment"),
    500: lazy("That didn’t work on our side"),
    502: lazy("Another server sent an unexpected response"),
    503: lazy("We can’t do this right now"),
    504: lazy("Another server took too long"),
}

# Forms that were refused without being read. If the user goes back, the browser still has the typed values.
_UNREAD_FORMS: Final = {
    400: lazy("Something in the form may be too long to read. Go back: your browser still has what you typed."),
    413: lazy(
        "That’s more than we can read at once. Go back: your browser still has what you typed. "
        "Shorten the longest text, or choose fewer or smaller files."
    ),
}

# Where a person who may not open a subpage can go instead: the page that it belongs to.
_PARENTS: Final = {
    "events": lazy("See the event"),
    "series": lazy("See the series"),
    "groups": lazy("See the group"),
}

# Illustrations above the heading. The motif fits the error; the seed only varies the drawing.
_SEED: Final = 0xF5E8_31D0_7A2C_4B96
_PICTURES: Final = {403: Motif.STREET, 404: Motif.GAMES, 410: Motif.BOOKS, 429: Motif.CALM}


def render_page(connection: HTTPConnection, fault: Fault) -> Response:
    """The error page. NotSignedIn redirects to sign-in, which returns to this page afterwards. An open page whose session
    has ended keeps asking for its stream, and needs no page as the answer.
    """
    if fault.http_status == 401 and "text/event-stream" in connection.headers.get("accept", ""):
        return Response(status_code=401)
    if fault.http_status == 401 and connection.scope["method"] in {"GET", "HEAD"}:
        return RedirectResponse(f"/sign-in?next={quote(_address_of(connection), safe='')}", 303)
    heading: LazyText | str = _HEADINGS.get(fault.http_status, lazy("That didn’t work"))
    why = (
        fault.why
        if fault.http_status != 404
        else gettext(
            "The link may be incomplete, the event may be private, or it was removed. "
            "If somebody sent it to you, ask them for an invitation."
        )
    )
    if fault.http_status == 405:
        why = gettext("The link or button that led here is out of date. Go back, reload the page, and try again.")
    # Refused before any handler ran, so there is no reason code.
    is_unread = fault.kind == "HTTP" or (fault.http_status == 413 and fault.cause == fault.why)
    if is_unread and connection.scope["method"] == "POST" and fault.http_status in _UNREAD_FORMS:
        why = str(_UNREAD_FORMS[fault.http_status])
    if fault.name == INVALID_LINK:
        # People with an old link already know that the page existed. The error page tells them how to get the new link.
        heading, why = gettext("This link doesn’t work"), fault.why
    if fault.name == TOO_FAR_AHEAD:
        heading, why = gettext("Not yet"), fault.why
    is_read = connection.scope["method"] in {"GET", "HEAD"}
    retry_path = ""
    # The database's own sentences are not for people, but a reason code has a sentence in the reader's language.
    is_internal = fault.kind == "Bug" or (fault.kind in DATABASE_FAILURES and fault.cause == fault.why)
    if is_internal:
        # The page shows the request id at the bottom.
        why = (
            gettext("Nothing you wrote is lost. Try again, or come back in a minute.")
            if is_read
            else gettext("Go back: your browser still has what you typed. Send it again in a minute.")
        )
    if fault.kind == RateLimited.__name__:
        why = _wait_sentence(int(fault.headers["retry-after"]), is_read=is_read)
    if is_read and (is_internal or fault.kind == RateLimited.__name__):
        retry_path = local_path(_address_of(connection))
    is_refused = fault.http_status == 403
    parent = _parent_page(connection) if is_refused else None
    return page(
        connection,
        "site/fault.html",
        {
            "heading": heading,
            "why": why,
            "status": fault.http_status,
            "request_id": fault.request_id,
            "again": retry_path,
            "before": _referring_page(connection),
            "form_path": "" if is_read or fault.http_status in {404, 410} else _form_page(connection),
            "parent": parent,
            # A request that changes something is not repeated by signing in.
            "other_account": _other_account_path(connection, parent, is_read=is_read) if is_refused else "",
            "picture": error_picture(fault.http_status),
        },
        status=fault.http_status,
        headers=fault.headers,
    )


def error_picture(status: int) -> str:
    """The path of the picture on an error page with this status."""
    return Cover(_PICTURES.get(status, Motif.TILES), _SEED).path


def _other_account_path(connection: HTTPConnection, parent: tuple[str, str] | None, *, is_read: bool) -> str:
    following = _address_of(connection) if is_read else parent[0] if parent else "/"
    return "/sign-in?" + urlencode({"again": "yes", "next": local_path(following)})


def _referring_page(connection: HTTPConnection) -> str:
    """The page of this site from which the request came. Empty if it was another site or this same URL."""
    before = _form_page(connection)
    return "" if urlsplit(before).path == connection.url.path else before


def _form_page(connection: HTTPConnection) -> str:
    """The page of this site that sent the request, according to ``Referer``, also if it has the same URL."""
    before = urlsplit(connection.headers.get("referer", ""))
    ours = urlsplit(services(connection).settings.public_url)
    if (before.scheme, before.netloc) != (ours.scheme, ours.netloc):
        return ""
    return local_path(urlunsplit(("", "", before.path, before.query, "")))


def _parent_page(connection: HTTPConnection) -> tuple[str, str] | None:
    """The path and the label of the event, series or group that this page belongs to."""
    _, kind, slug, *rest = [*connection.url.path.split("/"), "", ""]
    return (f"/{kind}/{slug}", str(_PARENTS[kind])) if kind in _PARENTS and any(rest) else None


def _address_of(connection: HTTPConnection) -> str:
    return connection.url.path + (f"?{connection.url.query}" if connection.url.query else "")


def _wait_sentence(seconds: int, *, is_read: bool) -> str:
    wait = explain(duration(seconds))
    if is_read:
        return gettext("We’ve had a lot of requests from your connection. Try again in %(wait)s.", wait=wait)
    return gettext(
        "We’ve had a lot of requests from your connection, so nothing was saved. Go back and send it again "
        "in %(wait)s.",
        wait=wait,
    )
