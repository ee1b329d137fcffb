"""Pages of the caller's API tokens: create a token, which is shown once, and revoke tokens one by one."""

from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import SCOPE_DESCRIPTIONS, TokenScope
from openmeet.domain.api_tokens.tokens import SHOWN_AFTER_END, TokenId
from openmeet.domain.paging import Page
from openmeet.i18n.catalogue import lazy
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/settings/tokens"
_LIFETIMES: Final = (
    ("30", lazy("30 days")),
    ("90", lazy("90 days")),
    ("365", lazy("A year")),
    ("", lazy("Until I revoke it")),
)
_NEWEST: Final = Page(200)


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, change, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _tokens_page(request, FormState({"expires_in_days": "90", "scope_read": "on"}))


async def change(request: Request) -> Response:
    """Create a token, or revoke one. A new token is shown in the response to the form itself, which is never cached."""
    caller = caller_of(request)
    form = await read_form(request)
    if "revoke" in form:
        async with database_of(request).transaction() as tx:
            await tokens.revoke(tx, caller, TokenId(form["revoke"]))
        return go(PATH, flash="token_revoked")
    try:
        scopes = [scope for scope in TokenScope if _scope_field(scope) in form]
        token_request = tokens.check(name=form.get("name", ""), scopes=scopes, days=form.get("expires_in_days", ""))
        async with database_of(request).transaction() as tx:
            api_token, token = await tokens.make(tx, caller, token_request)
    except InvalidForm as wrong:
        return await _tokens_page(request, form_with_problems(form, wrong), status=400)
    except Refused as refused:
        return await _tokens_page(request, form_with_problems(form, InvalidForm({"": refused.why})), status=422)
    return await _tokens_page(request, EMPTY, token_name=api_token.name, token=token)


async def _tokens_page(
    request: Request, form_state: FormState, *, token_name: str = "", token: str = "", status: int = 200
) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        now = reader.now
        api_tokens = await tokens.of_user(reader, caller.user_id, Instant(now - SHOWN_AFTER_END), _NEWEST)
    context = {
        "typed": form_state,
        "now": now,
        "made": token_name,
        "token": token,
        "tokens": [one for one in api_tokens if not one.is_over(now)],
        "ended": [one for one in api_tokens if one.is_over(now)],
        "scopes": [
            (_scope_field(scope), Markup("<code>{}</code>").format(scope), words)
            for scope, words in SCOPE_DESCRIPTIONS.items()
        ],
        "words": SCOPE_DESCRIPTIONS,
        "lifetimes": _LIFETIMES,
    }
    return page(request, "account/tokens.html", context, status=status, headers={"cache-control": "no-store"})


def _scope_field(scope: TokenScope) -> str:
    return f"scope_{scope.replace(':', '_')}"
