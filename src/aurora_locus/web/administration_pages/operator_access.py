"""Operator access: authentication and routes of the operators' pages.

The operator's row is read on each request, so that disabling an operator takes effect at once.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.administration import operator_sessions
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation import operators
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorAction, PdsOperator
from aurora_locus.web.administration_pages import display_names
from aurora_locus.web.browser_sessions import cookies
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import current_path, page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidForm, NotFound
from groundwork.http.forms import EMPTY

COOKIE = "aurora_operator"
SIGN_IN = "/admin/sign-in"

_OPERATOR = "aurora_locus.operator"

Endpoint = Callable[[Request], Awaitable[Response]]


def operator_get(path: str, endpoint: Endpoint, act: OperatorAction = OperatorAction.SEE) -> Route:
    """A GET route for operators with the permission for this action."""
    return show(path, _require_role(endpoint, act))


def operator_post(path: str, endpoint: Endpoint, act: OperatorAction = OperatorAction.SEE) -> Route:
    """A POST route for operators with the permission for this action."""
    return take(path, _require_role(endpoint, act))


def _require_role(endpoint: Endpoint, act: OperatorAction) -> Endpoint:
    async def answer(request: Request) -> Response:
        operator = await _identify(request)
        if operator is None:
            next_path = current_path(request) if request.method == "GET" else "/admin"
            return redirect_to(f"{SIGN_IN}?next={quote(next_path, safe='')}")
        operator.require(act)
        request.scope[_OPERATOR] = operator
        return await endpoint(request)

    return answer


async def _identify(request: Request) -> PdsOperator | None:
    identifier = cookies.read(request, COOKIE)
    if not identifier:
        return None
    registry = services(request).registry
    async with registry.db.reader() as reader:
        session = await operator_sessions.find(reader, identifier)
        if session is None:
            return None
        name, is_old = session
        operator = ADMINISTRATION if name == ADMINISTRATION.name else await operators.find(reader, name)
    if operator is not None and is_old:
        await registry.db.write(lambda w: operator_sessions.note_seen(w, identifier))
    return operator


def operator_of(connection: HTTPConnection) -> PdsOperator:
    """Return the authenticated operator of this request."""
    operator: PdsOperator = connection.scope[_OPERATOR]
    return operator


async def begin(request: Request, operator: PdsOperator) -> None:
    """Start a session of the operator in this browser."""
    identifier = await services(request).registry.db.write(lambda w: operator_sessions.begin(w, operator.name))
    cookies.change(request, COOKIE, identifier)


async def end(request: Request) -> None:
    """End the operator's session in this browser."""
    identifier = cookies.read(request, COOKIE)
    if identifier:
        await services(request).registry.db.write(lambda w: operator_sessions.end(w, identifier))
    cookies.change(request, COOKIE, "")


def audit_of(request: Request) -> AuditContext:
    """Return the operator, the reason and the report number of a submitted action. Raises InvalidForm if the reason is
    missing or the report number is invalid.
    """
    form = posted(request)
    reason, report = form.get("reason", "").strip(), form.get("report", "").strip()
    problems = {}
    if not reason:
        problems["reason"] = gettext_noop("Say why. It stays in the audit log.")
    if report and not (report.isascii() and report.isdigit() and len(report) < 16):
        problems["report"] = gettext_noop("This isn’t the number of a report.")
    if problems:
        raise InvalidForm(problems)
    return AuditContext(operator_of(request), reason, int(report) if report else None)


def did_in_path(request: Request) -> Did:
    """Return the DID in the URL path. Raises NotFound."""
    try:
        return parse_did(request.path_params["did"])
    except Malformed:
        raise NotFound(gettext_noop("There’s no such account on this server.")) from None


def admin_page(
    request: Request, template: str, context: Mapping[str, object] | None = None, *, status: int = 200
) -> Response:
    """Render a page with the operators' navigation."""
    operator = operator_of(request)
    layout = {
        "operator": operator,
        "may": {act.name: operator.may(act) for act in OperatorAction},
        "now": services(request).registry.clock.now(),
        "blank": EMPTY,
        "display_names": display_names,
    }
    return page(request, f"administration_pages/{template}", {**layout, **(context or {})}, status=status)
