"""Error pages: one sentence about what happened, and one next step. They show no internals."""

from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import Response

from aurora_locus.i18n.catalogue import gettext, ngettext
from aurora_locus.i18n.sentences import explain, gettext_noop
from aurora_locus.web.site.frame import current_path, page, redirect_to, shown_of
from groundwork.database.transaction import DATABASE_FAILURES
from groundwork.http.faults import Fault, Renderer, render_problem
from groundwork.rate_limit.contract import RateLimited

# The error name for a password that must be entered again.
PROOF_NEEDED = "ProofNeeded"
# The error name for a taken-down account, whose owner can still use one page.
CLOSED = "AccountTakedown"

SIGN_IN = "/sign-in"
PROVE = "/sign-in/again"
EXPORT = "/account/export"

_HEADINGS = {
    400: gettext_noop("We couldn’t read that"),
    401: gettext_noop("Sign in first"),
    403: gettext_noop("You can’t do this here"),
    404: gettext_noop("We can’t find that page"),
    405: gettext_noop("This page can’t do that"),
    409: gettext_noop("Somebody changed it first"),
    413: gettext_noop("That’s too much at once"),
    422: gettext_noop("That’s not possible"),
    429: gettext_noop("Wait a moment"),
    500: gettext_noop("That didn’t work on our side"),
    502: gettext_noop("Another server didn’t answer properly"),
    503: gettext_noop("We can’t do this right now"),
    504: gettext_noop("Another server took too long"),
}
_HEADINGS_BY_NAME = {"PageTooOld": gettext_noop("This page is too old"), CLOSED: gettext_noop("This account is closed")}


def render_as_page(connection: HTTPConnection, fault: Fault) -> Response:
    """Render a failure as a page. If the person must sign in or enter the password again, redirect to that page
    instead; it leads back to the requested page.
    """
    if fault.http_status == 401:
        target_path = PROVE if fault.name == PROOF_NEEDED else SIGN_IN
        return redirect_to(f"{target_path}?next={quote(current_path(connection), safe='')}")
    context = {
        "heading": explain(
            _HEADINGS_BY_NAME.get(fault.name) or _HEADINGS.get(fault.http_status, gettext_noop("That didn’t work"))
        ),
        "why": _explanation(fault),
        "status": fault.http_status,
        "request_id": fault.request_id,
        "again": current_path(connection) if fault.name == "PageTooOld" else "",
        "export": EXPORT if fault.name == CLOSED else "",
    }
    return page(connection, "site/fault.html", context, status=fault.http_status, headers=fault.headers)


def _explanation(fault: Fault) -> str:
    if fault.kind == "Bug" or fault.kind in DATABASE_FAILURES:
        # The page shows the id of the request further down.
        return gettext("Nothing you saved is lost. Try again in a minute.")
    if fault.kind == "HTTP" and fault.http_status == 404:
        return gettext("The address may be mistyped, or the page was removed.")
    if fault.kind != RateLimited.__name__:
        return explain(fault.why)
    seconds = int(fault.headers.get("retry-after", "1"))
    return ngettext("Try again in %(number)s minute.", "Try again in %(number)s minutes.", max(1, -(-seconds // 60)))


def page_renderer(otherwise: Renderer = render_problem) -> Renderer:
    """Return a renderer that shows page requests and unknown addresses an error page, and uses ``otherwise`` for
    programs.
    """

    def render(connection: HTTPConnection, fault: Fault) -> Response:
        is_page = shown_of(connection) is not None
        if is_page or (fault.kind == "HTTP" and "text/html" in connection.headers.get("accept", "")):
            return render_as_page(connection, fault)
        return otherwise(connection, fault)

    return render
