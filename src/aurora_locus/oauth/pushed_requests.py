"""Pushed authorization requests (RFC 9126): validation before any person sees them.

Source: atproto OAuth specification, "Authorization Requests"; RFC 9449 section 10. Unsupported scopes are dropped from
the request, so that people are not asked about them; any other error refuses the whole request.
"""

from collections.abc import Mapping

from at_protocol.failures import Malformed
from at_protocol.lexicon.document import PermissionSetType
from at_protocol.oauth import pkce
from at_protocol.oauth.client_metadata import ClientMetadata
from at_protocol.oauth.grant import recognized_scopes
from at_protocol.oauth.permissions import ATPROTO
from at_protocol.oauth.redirects import is_declared
from at_protocol.oauth.scope_text import split_scopes
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from aurora_locus.oauth import refusals, requests
from aurora_locus.oauth.client_authentication import AuthenticatedClient
from aurora_locus.oauth.model import ResponseMode
from aurora_locus.oauth.requests import PushedRequest
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.clock import MINUTE, SECOND, Instant
from groundwork.errors import Failure

LIFETIME = 5 * MINUTE

# Maximum length of ``state`` and of redirect URIs, which become part of a URL in the browser.
MAX_TEXT = 2048
# Maximum length of the requested scopes. Anybody can push requests, and each is stored.
MAX_SCOPE_TEXT = 16_384

PROMPTS = frozenset({"none", "login", "consent", "select_account", "create"})

# OpenID Connect parameters and request objects, which would mean something else than this server does.
_REFUSED = ("request", "request_uri", "nonce", "claims", "id_token_hint", "registration")


async def push(
    server: AuthorizationServer, authenticated: AuthenticatedClient, jkt: str, form: Mapping[str, str]
) -> dict[str, object]:
    """Store the request of an app whose key has the thumbprint ``jkt``. Return the endpoint's response. Raises OAuth
    errors.
    """
    client = authenticated.client
    refused_parameter = next((name for name in _REFUSED if name in form), None)
    if refused_parameter is not None:
        raise refusals.invalid_request(f"{refused_parameter} is not supported.")
    if form.get("response_type") != "code":
        raise refusals.other_error("unsupported_response_type", "response_type must be code.")
    if form.get("dpop_jkt", jkt) != jkt:
        raise refusals.invalid_proof("dpop_jkt is not the thumbprint of the key that signed the DPoP proof.")
    scopes = _scopes(client, form)
    request = PushedRequest(
        client=client,
        binding=authenticated.binding,
        jkt=jkt,
        redirect_uri=_redirect(client, form),
        response_mode=_response_mode(form),
        scopes=scopes,
        permission_sets=await _sets(server, scopes),
        state=_text(form, "state"),
        code_challenge=_challenge(form),
        login_hint=_login_hint(form),
        prompt=_prompt(form),
        ui_locales=form.get("ui_locales", "")[:MAX_TEXT] or None,
    )
    uri = await server.registry.db.write(lambda w: requests.push(w, request, Instant(w.now + LIFETIME)))
    return {"request_uri": uri, "expires_in": LIFETIME // SECOND}


def _scopes(client: ClientMetadata, form: Mapping[str, str]) -> tuple[str, ...]:
    text = form.get("scope", "")
    if len(text) > MAX_SCOPE_TEXT:
        raise refusals.invalid_scope(f"scope has more than {MAX_SCOPE_TEXT} characters.")
    try:
        requested_scopes = split_scopes(text)
    except Malformed as error:
        raise refusals.invalid_scope(f"scope: {error.why}.") from None
    if ATPROTO not in requested_scopes:
        raise refusals.invalid_scope("scope must include atproto.")
    declared_scopes = frozenset(client.scopes)
    undeclared = next((scope for scope in requested_scopes if scope not in declared_scopes), None)
    if undeclared is not None:
        raise refusals.invalid_scope(f"The client's document does not declare the scope {undeclared[:200]}.")
    return (ATPROTO, *(scope for scope, _ in recognized_scopes(requested_scopes)))


def _redirect(client: ClientMetadata, form: Mapping[str, str]) -> str:
    requested_uri = _text(form, "redirect_uri")
    if not any(is_declared(requested_uri, declared) for declared in client.redirect_uris):
        raise refusals.invalid_request("The client's document does not declare this redirect_uri.")
    return requested_uri


def _response_mode(form: Mapping[str, str]) -> ResponseMode:
    match form.get("response_mode", "query"):
        case "query":
            return "query"
        case "fragment":
            return "fragment"
        case _:
            raise refusals.invalid_request("response_mode must be query or fragment.")


async def _sets(server: AuthorizationServer, scopes: tuple[str, ...]) -> dict[str, PermissionSetType]:
    try:
        return await server.permission_documents.find_all(scopes)
    except Failure as failure:
        raise refusals.invalid_scope(f"The permission sets cannot be used: {failure.why}") from None


def _challenge(form: Mapping[str, str]) -> str:
    if form.get("code_challenge_method") != pkce.METHOD:
        raise refusals.invalid_request(f"code_challenge_method must be {pkce.METHOD}.")
    try:
        return pkce.parse_challenge(form.get("code_challenge", ""))
    except Malformed as error:
        raise refusals.invalid_request(f"code_challenge: {error.why}.") from None


def _login_hint(form: Mapping[str, str]) -> str | None:
    hint = form.get("login_hint")
    if not hint:
        return None
    try:
        return parse_did(hint) if hint.startswith("did:") else parse_handle(hint.removeprefix("@"))
    except Malformed:
        raise refusals.invalid_request("login_hint is neither a handle nor a DID.") from None


def _prompt(form: Mapping[str, str]) -> str | None:
    prompt = form.get("prompt")
    if prompt is not None and prompt not in PROMPTS:
        raise refusals.invalid_request(f"prompt must be one of {', '.join(sorted(PROMPTS))}.")
    return prompt


def _text(form: Mapping[str, str], name: str) -> str:
    text = form.get(name, "")
    if not text or len(text) > MAX_TEXT or not text.isprintable():
        raise refusals.invalid_request(f"{name} is required and must be printable, with at most {MAX_TEXT} characters.")
    return text
