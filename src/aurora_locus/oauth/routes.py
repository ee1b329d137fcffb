"""OAuth endpoints for apps, and their discovery documents. The consent pages are in ``web.oauth_pages``.

Every response carries the newest nonce and is not cached. All four endpoints check in the same order: limits, form,
proof (a request without one costs no further work), client, content. Only when all of that is valid are proof and
assertion marked as used. A token can be revoked without a proof, as in the reference PDS (RFC 7009 asks only for the
client's authentication).
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.oauth.dpop import BadDpopProof, DpopProof, normal_address
from at_protocol.oauth.server_metadata import RESOURCE_PATH, SERVER_PATH, describe_resource, describe_server
from aurora_locus.accounts.limits import address_charge, count_request
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.catalogue import CATALOGUE
from aurora_locus.oauth import client_authentication, proofs, pushed_requests, refusals, revocation, tokens
from aurora_locus.oauth.client_authentication import AuthenticatedClient, KeyNotPublished
from aurora_locus.oauth.proofs import NonceRequired
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.errors import InvalidInput
from groundwork.http.application import add_header, client_address
from groundwork.http.json_bodies import json_response, parse_json
from groundwork.rate_limit.contract import Limit, headers_of

PAR, TOKEN, REVOKE, INTROSPECT, JWKS = "/oauth/par", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/jwks"
FOR_APPS = (PAR, TOKEN, REVOKE, INTROSPECT, JWKS)

# A back end calls for all its users from one address.
PUSHES = Limit("oauth_par", 300, 5 * 60)
TOKENS = Limit("oauth_token", 1500, 5 * 60)

MAX_FIELDS = 50
_DOCUMENT_SECONDS = 300

# The third argument is the thumbprint of the proof's key; empty for a revocation without a proof.
OAuthAction = Callable[[AuthorizationServer, AuthenticatedClient, str, Mapping[str, str]], Awaitable[dict[str, object]]]


def routes(server: AuthorizationServer) -> list[Route]:
    """All endpoints for apps."""
    return [
        _document(SERVER_PATH, describe_server(server.issuer, server.issuer, languages=CATALOGUE.available())),
        _document(RESOURCE_PATH, describe_resource(server.issuer, server.issuer)),
        _document(JWKS, server.access_tokens.jwks()),
        _endpoint(server, PAR, PUSHES, pushed_requests.push, status=201),
        _endpoint(server, TOKEN, TOKENS, _exchange),
        _endpoint(server, REVOKE, TOKENS, revocation.revoke, needs_proof=False),
        _endpoint(server, INTROSPECT, TOKENS, revocation.introspect),
    ]


async def _exchange(
    server: AuthorizationServer, authenticated: AuthenticatedClient, jkt: str, form: Mapping[str, str]
) -> dict[str, object]:
    match form.get("grant_type"):
        case "authorization_code":
            return await tokens.for_code(server, authenticated, jkt, form)
        case "refresh_token":
            return await tokens.for_refresh_token(server, authenticated, jkt, form)
        case None:
            raise refusals.invalid_request("grant_type is missing.")
        case _:
            raise refusals.other_error(
                "unsupported_grant_type", "grant_type must be authorization_code or refresh_token."
            )


def _document(path: str, document: dict[str, object]) -> Route:
    async def answer(_request: Request) -> Response:
        return json_response(document, headers={"cache-control": f"max-age={_DOCUMENT_SECONDS}"})

    return Route(path, answer)


def _endpoint(
    server: AuthorizationServer,
    path: str,
    limit: Limit,
    act: OAuthAction,
    *,
    status: int = 200,
    needs_proof: bool = True,
) -> Route:
    address = normal_address(server.issuer + path)
    registry = server.registry

    async def answer(request: Request) -> Response:
        add_header(request, "dpop-nonce", server.nonces.newest())
        rate_headers = await _count(registry, limit, request)
        form = await _form(request)
        proof = None
        if needs_proof or proofs.HEADER.decode() in request.headers:
            proof = _checked_proof(server, request, address)
        try:
            authenticated = await client_authentication.authenticate(server, form)
        except KeyNotPublished as gone:
            await tokens.end_for_lost_key(server, form, gone.key_id)
            raise
        if proof is not None:
            try:
                await proofs.use_up(proof, server.replays, registry.clock)
            except BadDpopProof as bad:
                raise refusals.invalid_proof(f"The DPoP proof cannot be accepted: {bad.why}.") from None
        await client_authentication.use_up(server, authenticated)
        outcome = await act(server, authenticated, "" if proof is None else proof.thumbprint, form)
        return json_response(outcome, status, {"cache-control": "no-store", **rate_headers})

    return Route(path, answer, methods=["POST"])


def _checked_proof(server: AuthorizationServer, request: Request, address: str) -> DpopProof:
    try:
        text = proofs.header_of(request.scope["headers"])
        return proofs.check(text, server.nonces, server.registry.clock, method="POST", address=address)
    except BadDpopProof as bad:
        raise refusals.invalid_proof(f"The DPoP proof cannot be accepted: {bad.why}.") from None
    except NonceRequired:
        raise refusals.use_nonce() from None


async def _count(registry: Registry, limit: Limit, request: Request) -> dict[str, str]:
    """Count the request. Return headers with the remaining allowance; none if the operator turned limits off. Raises
    RateLimited.
    """
    state = await count_request(registry, [address_charge(registry, limit, client_address(request))])
    return {} if state is None else headers_of(state)


async def _form(request: Request) -> dict[str, str]:
    """Parse the parameters from a form or a JSON object of strings. Each may appear once (RFC 6749 section 3.1)."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    match declared:
        case "application/x-www-form-urlencoded":
            pairs = _pairs(body)
        case "application/json":
            pairs = _members(body)
        case _:
            raise refusals.invalid_request("The body must be application/x-www-form-urlencoded.")
    form = dict(pairs)
    if len(form) != len(pairs):
        raise refusals.invalid_request("A parameter appears twice.")
    # RFC 6749 section 3.1: a parameter without a value is treated as omitted.
    return {name: value for name, value in form.items() if value}


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise refusals.invalid_request(f"The body is not a form of at most {MAX_FIELDS} parameters.") from None
    if any("\x00" in value for _, value in pairs):
        raise refusals.invalid_request("The form contains an unreadable character.")
    return pairs


def _members(body: bytes) -> list[tuple[str, str]]:
    try:
        value = parse_json(body)
    except InvalidInput as failure:
        raise refusals.invalid_request(str(failure.why)) from None
    if not isinstance(value, dict) or not all(isinstance(each, str) and "\x00" not in each for each in value.values()):
        raise refusals.invalid_request("The body is not a JSON object of strings.")
    return list(value.items())
