"""Failures as pages: one sentence about what happened, one next step. No internal details."""

from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from groundwork.http.faults import Fault
from groundwork.rate_limit.contract import RateLimited
from openmeet.domain.failure_names import INVALID_LINK, TOO_FAR_AHEAD
from openmeet.web.site.layout import page

_HEADINGS = {
    400: "That could not be read",
    401: "Please sign in",
    403: "You can’t do this here",
    404: "There is nothing here",
    405: "This address does something else",
    409: "Somebody was faster",
    410: "This is not here any more",
    412: "It changed meanwhile",
    413: "That is too much at once",
    422: "That is not possible",
    429: "Wait a moment",
    500: "Something broke on our side",
    502: "Another server did not answer well",
    503: "We cannot serve this at the moment",
    504: "Another server took too long",
}


def render_page(connection: HTTPConnection, fault: Fault) -> Response:
    """The page for a failure; NotSignedIn redirects to sign-in and back."""
    if fault.http_status == 401 and connection.scope["method"] == "GET":
        return RedirectResponse(f"/sign-in?next={quote(_address_of(connection), safe='')}", 303)
    heading = _HEADINGS.get(fault.http_status, "That did not work")
    why = fault.why if fault.http_status != 404 else "It may never have existed, or it is not shown to you."
    if fault.name == INVALID_LINK:
        # Holders of an old link know that it existed: tell them how to get the new one.
        heading, why = "This link does not work", fault.why
    if fault.name == TOO_FAR_AHEAD:
        heading, why = "Not yet", fault.why
    if fault.kind == "Bug":
        # The page shows the request id below.
        why = "Try again in a minute."
    again = ""
    if fault.kind == RateLimited.__name__:
        is_read = connection.scope["method"] in {"GET", "HEAD"}
        why = _wait_words(int(fault.headers["retry-after"]), is_read=is_read)
        again = _address_of(connection) if is_read else ""
    return page(
        connection,
        "site/fault.html",
        {"heading": heading, "why": why, "status": fault.http_status, "request_id": fault.request_id, "again": again},
        status=fault.http_status,
        headers=fault.headers,
    )


def _address_of(connection: HTTPConnection) -> str:
    return connection.url.path + (f"?{connection.url.query}" if connection.url.query else "")


def _wait_words(seconds: int, *, is_read: bool) -> str:
    minutes = -(-seconds // 60)
    wait = "a second" if seconds == 1 else f"{seconds} seconds" if seconds < 120 else f"{minutes} minutes"
    if is_read:
        return f"We got a lot of requests from your connection. Try again in {wait}."
    return f"We got a lot of requests from your connection, so nothing was saved. Go back and send it again in {wait}."
