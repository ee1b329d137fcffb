"""The caller's API tokens, on pages and as JSON: create a token, which is shown once, list them, and revoke them one by
one. The operations require a session: a token cannot list or create tokens.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, Refused
from groundwork.http.forms import FormState, form_with_problems, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import SCOPE_DESCRIPTIONS, TokenScope
from openmeet.domain.api_tokens.tokens import SHOWN_AFTER_END, ApiToken, TokenId
from openmeet.domain.paging import Page
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import viewer_of

PATH: Final = "/settings/tokens"
_LIFETIMES: Final = (
    ("30", lazy("30 days")),
    ("90", lazy("90 days")),
    ("365", lazy("A year")),
    ("", lazy("Until I revoke it")),
)
_NEWEST: Final = Page(200)

# Short names of scopes. ``SCOPE_DESCRIPTIONS`` has what they contain.
SCOPE_NAMES: Final = {
    TokenScope.READ: lazy("See what you can see"),
    TokenScope.EVENTS: lazy("Create and change events"),
    TokenScope.SERIES: lazy("Create and change series"),
    TokenScope.ANSWERS: lazy("Answer events"),
    TokenScope.GROUPS: lazy("Run and join groups"),
    TokenScope.PROFILE: lazy("Change your profile and settings"),
    TokenScope.PUBLISHING: lazy("Decide whether you sync"),
    TokenScope.WEBHOOKS: lazy("Use webhooks"),
    TokenScope.CALENDAR_ADDRESS: lazy("Use secret calendar addresses"),
    TokenScope.CHAT_READ: lazy("Read chats"),
    TokenScope.CHAT_WRITE: lazy("Write in chats"),
    TokenScope.MODERATION: lazy("Moderate this site"),
    TokenScope.OPERATING: lazy("See how sync is doing"),
}


class ScopeChoice(StrEnum):
    """Which scopes a token gets, as a form says it. A form without this field names each scope."""

    READ = "read"
    EVERYTHING = "everything"
    CHOOSE = "choose"


_DEFAULTS: Final = FormState({"expires_in_days": "90", "access": ScopeChoice.READ, "scope_read": "on"})


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, change, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _tokens_page(request, _DEFAULTS)


async def change(request: Request) -> Response:
    """Create a token, or revoke one. A new token is shown in the response to the form itself, which is never cached."""
    caller = caller_of(request)
    form = await read_form(request)
    if "revoke" in form:
        async with database_of(request).transaction() as tx:
            await tokens.revoke(tx, caller, TokenId(form["revoke"]))
        return go(PATH, flash="token_revoked")
    try:
        token_request = tokens.check(
            name=form.get("name", ""), scopes=_scopes_in(request, form), days=form.get("expires_in_days", "")
        )
        async with database_of(request).transaction() as tx:
            api_token, token = await tokens.make(tx, caller, token_request)
    except InvalidForm as wrong:
        return await _tokens_page(request, form_with_problems(form, wrong), status=400)
    except Refused as refused:
        return await _tokens_page(request, form_with_problems(form, InvalidForm({"": refused.why})), status=422)
    return await _tokens_page(request, _DEFAULTS, token_name=api_token.name, token=token)


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
        "accesses": [
            (ScopeChoice.READ, gettext("Read only"), SCOPE_DESCRIPTIONS[TokenScope.READ]),
            (
                ScopeChoice.EVERYTHING,
                gettext("Everything"),
                gettext(
                    "All that you can do here, except creating tokens, exporting your data and deleting your account"
                ),
            ),
            (ScopeChoice.CHOOSE, gettext("Choose"), ""),
        ],
        "scopes": [
            (
                _scope_field(scope),
                Markup("{} <code>{}</code>").format(SCOPE_NAMES[scope], scope),
                SCOPE_DESCRIPTIONS[scope],
            )
            for scope in _usable_scopes(request)
        ],
        "names": SCOPE_NAMES,
        "lifetimes": _LIFETIMES,
    }
    return page(request, "account/tokens.html", context, status=status, headers={"cache-control": "no-store"})


def _usable_scopes(request: Request) -> list[TokenScope]:
    """The scopes that are of use to the caller: those of moderators and operators only for them."""
    viewer = viewer_of(request)
    unusable = set()
    if not (viewer and viewer.moderates):
        unusable.add(TokenScope.MODERATION)
    if not (viewer and viewer.operates):
        unusable.add(TokenScope.OPERATING)
    return [scope for scope in SCOPE_DESCRIPTIONS if scope not in unusable]


def _scopes_in(request: Request, form: Mapping[str, str]) -> list[TokenScope]:
    """The scopes that a submitted form requests."""
    match form.get("access", ScopeChoice.CHOOSE):
        case ScopeChoice.READ:
            return [TokenScope.READ]
        case ScopeChoice.EVERYTHING:
            return _usable_scopes(request)
        case _:
            return [scope for scope in TokenScope if _scope_field(scope) in form]


def _scope_field(scope: TokenScope) -> str:
    return f"scope_{scope.replace(':', '_')}"


class TokenRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The purpose and scopes of a new token. ``expiresInDays`` is 1 to 366. If it is null, the token is valid until it
    is revoked.
    """

    name: str
    scopes: list[TokenScope]
    expires_in_days: int | None = 90


class TokenOutput(msgspec.Struct, rename="camel"):
    """A token without its secret. ``lastUsedAt`` is accurate to ten minutes."""

    id: str
    name: str
    scopes: list[TokenScope]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class TokenMade(TokenOutput, rename="camel"):
    """A new token. Send ``token`` in ``Authorization: Bearer …``. It is shown only in this response."""

    token: str


class TokenList(msgspec.Struct, rename="camel"):
    """The caller’s API tokens, newest first, including those that expired or were revoked in the last 30 days."""

    tokens: list[TokenOutput]
    cursor: str | None


async def list_tokens(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        since = Instant(reader.now - SHOWN_AFTER_END)
        read = await tokens.of_user(reader, caller.user_id, since, page)
    own_tokens, cursor = page.cut(read, lambda one: (one.created_at, one.id))
    return json_response(TokenList([_token_output(one) for one in own_tokens], cursor))


async def make(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, TokenRequest)
    days = "" if body.expires_in_days is None else str(body.expires_in_days)
    token_request = tokens.check(name=body.name, scopes=body.scopes, days=days)
    async with database_of(request).transaction() as tx:
        api_token, token = await tokens.make(tx, caller, token_request)
    shown = TokenMade(**msgspec.structs.asdict(_token_output(api_token)), token=token)
    return json_response(shown, 201, {"cache-control": "no-store"})


async def revoke(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await tokens.revoke(tx, caller_of(request), TokenId(request.path_params["id"]))
    return Response(status_code=204)


def _token_output(token: ApiToken) -> TokenOutput:
    return TokenOutput(
        id=token.id,
        name=token.name,
        scopes=[scope for scope in TokenScope if scope in token.scopes],
        created_at=iso(token.created_at),
        expires_at=iso_or_none(token.expires_at),
        last_used_at=iso_or_none(token.last_used_at),
        revoked_at=iso_or_none(token.revoked_at),
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/tokens",
        "listTokens",
        "Your tokens, newest first, including those that ended in the last month",
        list_tokens,
        {200: TokenList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/tokens",
        "createToken",
        "Create a token for a program. It is shown only once",
        make,
        {201: TokenMade},
        TokenRequest,
        failures=(422,),
    ),
    ApiOperation(
        "DELETE",
        "/api/tokens/{id}",
        "revokeToken",
        "Revoke a token",
        revoke,
        {204: None},
        failures=(404,),
    ),
)
