"""Operators: list, add, change roles, disable."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.administration import operator_sessions
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation import operators
from aurora_locus.moderation.roles import OperatorAction, OperatorRole
from aurora_locus.web.administration_pages.operator_access import (
    admin_page,
    audit_of,
    operator_get,
    operator_post,
)
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidInput, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems


def routes() -> list[Route]:
    """Routes of the page of operators, for superadmins."""
    return [
        operator_get("/admin/operators", show_operators, OperatorAction.MANAGE_OPERATORS),
        operator_post("/admin/operators/add", add, OperatorAction.MANAGE_OPERATORS),
        operator_post("/admin/operators/change", change, OperatorAction.MANAGE_OPERATORS),
    ]


async def show_operators(request: Request) -> Response:
    """Show all operators, and the permissions of each role."""
    return await _page(request, EMPTY)


async def add(request: Request) -> Response:
    """Add an operator."""
    form = posted(request)
    try:
        await operators.add(
            services(request).registry,
            audit_of(request),
            form.get("name", "").strip().lower(),
            _role(form),
            password=form.get("password") or None,
            did=form.get("did", "").strip() or None,
        )
    except InvalidInput as wrong:
        return await _page(request, form_with_problems(form, wrong), status=400)
    except Refused as no:
        return await _page(request, FormState(form, {"name": no.why}), status=422)
    return redirect_to("/admin/operators", flash="done")


async def change(request: Request) -> Response:
    """Change an operator's role, password or enabled state. Disabling takes effect at once."""
    form, registry = posted(request), services(request).registry
    name = form.get("operator", "")
    try:
        audit, role = audit_of(request), _role(form)
        # This comes first, because it can be refused: when the form is shown again with an error, nothing must have
        # changed.
        if form.get("new_password"):
            await operators.set_password(registry, audit, name, form["new_password"])
            await registry.db.write(lambda w: operator_sessions.end_all_of(w, name))
        await operators.change(registry, audit, name, role, disabled="disabled" in form)
    except InvalidInput as wrong:
        return await _page(request, form_with_problems(form, wrong), status=400)
    return redirect_to("/admin/operators", flash="done")


async def _page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with services(request).registry.db.reader() as reader:
        registered = await operators.all_operators(reader)
    context = {
        "known": registered,
        "roles": [*OperatorRole],
        "typed": form_state,
    }
    return admin_page(request, "operators.html", context, status=status)


def _role(form: dict[str, str]) -> OperatorRole:
    if form.get("role") not in set(OperatorRole):
        raise InvalidInput("role", gettext_noop("Choose a role."))
    return OperatorRole(form["role"])
