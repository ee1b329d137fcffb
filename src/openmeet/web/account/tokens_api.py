"""The caller's API tokens, as JSON. Requires a session: a token cannot list or create tokens."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.api_tokens.tokens import SHOWN_AFTER_END, ApiToken, TokenId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of


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
    """Newest first, including tokens that expired or were revoked in the last 30 days."""

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
        "The caller’s tokens, newest first, including those that ended in the last month",
        list_tokens,
        {200: TokenList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/tokens",
        "createToken",
        "Create a token for a program; it is shown only once",
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
