"""The caller's API tokens, as JSON. For sessions only: a token can neither list nor make tokens."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.api_tokens.tokens import MAX_TOKENS, SHOWN_AFTER_END, ApiToken, TokenId
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

MAX_LISTED = 200


class TokenRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a token is for and may do. ``expiresInDays``: 1 to 366; null: valid until revoked."""

    name: str
    scopes: list[TokenScope]
    expires_in_days: int | None = 90


class TokenShown(msgspec.Struct, rename="camel"):
    """A token without its secret. ``lastUsedAt`` is accurate to ten minutes."""

    id: str
    name: str
    scopes: list[TokenScope]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class TokenMade(TokenShown, rename="camel"):
    """A new token: ``token`` goes into ``Authorization: Bearer …`` and is shown only here."""

    token: str


class TokenList(msgspec.Struct, rename="camel"):
    """Newest first, including those that ended in the last 30 days."""

    tokens: list[TokenShown]


async def list_tokens(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        since = Instant(reader.now - SHOWN_AFTER_END)
        found = await tokens.of_user(reader, caller.user_id, since, MAX_LISTED)
    return json_response(TokenList([_shown(one) for one in found]))


async def make(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, TokenRequest)
    days = "" if body.expires_in_days is None else str(body.expires_in_days)
    wanted = tokens.check(name=body.name, scopes=body.scopes, days=days)
    async with database_of(request).transaction() as tx:
        made, token = await tokens.make(tx, caller, wanted)
    shown = TokenMade(**msgspec.structs.asdict(_shown(made)), token=token)
    return json_response(shown, 201, {"cache-control": "no-store"})


async def revoke(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await tokens.revoke(tx, caller_of(request), TokenId(request.path_params["id"]))
    return Response(status_code=204)


def _shown(one: ApiToken) -> TokenShown:
    return TokenShown(
        id=one.id,
        name=one.name,
        scopes=[scope for scope in TokenScope if scope in one.scopes],
        created_at=iso(one.created_at),
        expires_at=None if one.expires_at is None else iso(one.expires_at),
        last_used_at=None if one.last_used_at is None else iso(one.last_used_at),
        revoked_at=None if one.revoked_at is None else iso(one.revoked_at),
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/tokens",
        "listTokens",
        f"The caller’s tokens, the newest first: at most {MAX_TOKENS} that work, of all at most {MAX_LISTED}",
        list_tokens,
        {200: TokenList},
    ),
    ApiOperation(
        "POST",
        "/api/tokens",
        "createToken",
        "Make a token for a program; it is shown this once",
        make,
        {201: TokenMade},
        TokenRequest,
        failures=(422,),
    ),
    ApiOperation(
        "DELETE",
        "/api/tokens/{id}",
        "revokeToken",
        "A token opens nothing any more",
        revoke,
        {204: None},
        failures=(404,),
    ),
)
