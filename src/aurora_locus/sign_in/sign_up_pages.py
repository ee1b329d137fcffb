"""The sign-up form."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.browser_sessions import authentication
from aurora_locus.browser_sessions.routes import show, take
from aurora_locus.i18n.sentences import too_often
from aurora_locus.identity.handles import MAX_LABEL, MIN_LABEL
from aurora_locus.sign_in.sign_up import sign_up
from aurora_locus.site.forms import posted
from aurora_locus.site.frame import page, redirect_to
from groundwork.errors import InvalidForm, TooMany
from groundwork.http.forms import FormState, form_with_problems, local_path


def routes(after: str) -> list[Route]:
    """Routes of the sign-up form. ``after`` is the path to which people go next if they came without a destination."""

    async def show_form(request: Request) -> Response:
        form_state = FormState({"invite_code": request.query_params.get("invite", "")})
        return _form(request, form_state, local_path(request.query_params.get("next", ""), after))

    async def create(request: Request) -> Response:
        form = posted(request)
        next_path = local_path(form.get("next", ""), after)
        try:
            account = await sign_up(request, form)
        except InvalidForm as wrong:
            return _form(request, form_with_problems(form, wrong), next_path, status=400)
        except TooMany as limit:
            return _form(request, FormState(form, {"name": too_often(limit)}), next_path, status=429)
        if account.is_waiting:
            return redirect_to(f"/confirm-email?{urlencode({'next': next_path})}")
        return redirect_to(next_path, flash="welcome")

    return [show("/sign-up", show_form), take("/sign-up", create)]


def _form(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    registry = authentication.registry_of(request)
    context = {
        "typed": form_state,
        "next_path": next_path,
        "domains": registry.handle_domains,
        "needs_invite": registry.needs_invite,
        "min_label": MIN_LABEL,
        "max_label": MAX_LABEL,
    }
    return page(request, "sign_in/new.html", context, status=status)
