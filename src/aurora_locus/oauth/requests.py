"""Table ``oauth_requests``. The hash of a request_uri is the row's key; the request_uri itself is not stored."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from at_protocol.lexicon.document import PermissionSetType
from at_protocol.oauth.client_id import ClientId
from at_protocol.oauth.client_metadata import PRIVATE_KEY_JWT, REFRESH_TOKEN, ClientMetadata
from aurora_locus.oauth.model import AuthorizationRequest, ClientBinding, RequestingClient, RequestStage, ResponseMode
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction, Writer
from groundwork.token_hash import hash_token

PREFIX = "urn:ietf:params:oauth:request_uri:"

_COLUMNS = """
    id, client_id, client_document, auth_key_id, auth_algorithm, auth_thumbprint, jkt, redirect_uri, response_mode, scope,
    permission_sets, state, code_challenge, login_hint, prompt, ui_locales, device_id, stage, expires_at
"""
_INSERT = """
    insert into oauth_requests (id, client_id, client_document, auth_method, auth_key_id, auth_algorithm, auth_thumbprint,
                                jkt, redirect_uri, response_mode, scope, permission_sets, state, code_challenge,
                                login_hint, prompt, ui_locales, stage, created_at, expires_at)
    values (:id, :client_id, :client_document, :auth_method, :auth_key_id, :auth_algorithm, :auth_thumbprint,
            :jkt, :redirect_uri, :response_mode, :scope, :permission_sets, :state, :code_challenge,
            :login_hint, :prompt, :ui_locales, 'pushed', :now, :expires_at)
"""
_FIND = f"select {_COLUMNS} from oauth_requests where id = :id"
_OPEN = """
    update oauth_requests
       set device_id = :device_id,
           stage = case when stage = 'pushed' then 'opened' else stage end,
           expires_at = case
               when expires_at > :until then expires_at
               when created_at + :longest < :until then created_at + :longest
               else :until end
     where id = :id and (device_id is null or device_id = :device_id) and expires_at > :now
"""
_ANSWER = """
    update oauth_requests set stage = :stage
     where id = :id and stage in ('opened', :stage)
"""
_KEEP = """
    update oauth_requests set expires_at = case when expires_at > :until then expires_at else :until end
     where id = :id and device_id = :device_id
"""
_SWEEP = "delete from oauth_requests where expires_at <= :now"

_SETS = msgspec.json.Decoder(dict[str, PermissionSetType])


class _ClientDocument(msgspec.Struct, omit_defaults=True):
    """The stored part of a client's document, by its names there (RFC 7591 section 2). Strangers push requests, so the
    rest, which was checked when the request was pushed, is not stored.
    """

    token_endpoint_auth_method: str
    grant_types: tuple[str, ...] = ()
    client_name: str | None = None
    logo_uri: str | None = None
    tos_uri: str | None = None
    policy_uri: str | None = None


_DOCUMENT = msgspec.json.Decoder(_ClientDocument)


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """A checked pushed request."""

    client: ClientMetadata
    binding: ClientBinding
    jkt: str
    redirect_uri: str
    response_mode: ResponseMode
    scopes: tuple[str, ...]
    permission_sets: Mapping[str, PermissionSetType]
    state: str
    code_challenge: str
    login_hint: str | None
    prompt: str | None
    ui_locales: str | None


def push(w: Writer, request: PushedRequest, expires_at: Instant) -> str:
    """Store a request. Return its request_uri, which is random and not stored."""
    name = secrets.token_urlsafe(32)
    binding = request.binding
    w.execute(
        _INSERT,
        id=hash_token(name),
        client_id=request.client.client_id,
        client_document=_document(request.client),
        auth_method=binding.method,
        auth_key_id=binding.key_id,
        auth_algorithm=binding.algorithm,
        auth_thumbprint=binding.thumbprint,
        jkt=request.jkt,
        redirect_uri=request.redirect_uri,
        response_mode=request.response_mode,
        scope=" ".join(request.scopes),
        permission_sets=msgspec.json.encode(request.permission_sets).decode("utf-8"),
        state=request.state,
        code_challenge=request.code_challenge,
        login_hint=request.login_hint,
        prompt=request.prompt,
        ui_locales=request.ui_locales,
        now=w.now,
        expires_at=expires_at,
    )
    return PREFIX + name


async def find(
    reader: Reader, server: AuthorizationServer, request_uri: str
) -> tuple[AuthorizationRequest, str | None] | None:
    """Return the request with this request_uri, whatever its stage and age, and the browser that it is bound to."""
    if not request_uri.startswith(PREFIX):
        return None
    row = await reader.fetch_one(_FIND, id=hash_token(request_uri.removeprefix(PREFIX)))
    request = None if row is None else _of_row(row, server)
    return None if row is None or request is None else (request, row["device_id"])


def find_by_id(w: Writer, server: AuthorizationServer, request_id: bytes) -> AuthorizationRequest | None:
    """Return the request that a code belongs to."""
    row = w.fetch_one(_FIND, id=request_id)
    return None if row is None else _of_row(row, server)


async def open_for(tx: Transaction, request_id: bytes, device_id: str, until: Instant, longest: int) -> bool:
    """Bind a request to this browser. Return False if it is bound to another browser or has expired."""
    return (await tx.execute(_OPEN, id=request_id, device_id=device_id, until=until, longest=longest, now=tx.now)) == 1


async def store_decision(tx: Transaction, request_id: bytes, stage: RequestStage) -> bool:
    """Record that a request was approved or denied. Return False if the opposite was already recorded."""
    return await tx.execute(_ANSWER, id=request_id, stage=stage.value) == 1


async def keep_until(tx: Transaction, request_id: bytes, until: Instant, device_id: str) -> None:
    """Keep an approved request as long as its code, which needs it."""
    await tx.execute(_KEEP, id=request_id, until=until, device_id=device_id)


def sweep(w: Writer) -> int:
    """Delete expired requests; returns how many."""
    return w.execute(_SWEEP, now=w.now)


def _of_row(row: Row, server: AuthorizationServer) -> AuthorizationRequest | None:
    """Convert a row. Return None, as for a request that has expired, if another version of this server wrote it in a way
    that this one cannot read: requests are open for minutes, so apps just push another one.
    """
    client_id = ClientId(row["client_id"])
    try:
        client, stage = _client(client_id, row["client_document"]), RequestStage(row["stage"])
        permission_sets = _SETS.decode(row["permission_sets"])
    except (msgspec.DecodeError, ValueError):
        return None
    return AuthorizationRequest(
        id=bytes(row["id"]),
        client=client,
        is_trusted=client_id in server.trusted_clients,
        binding=ClientBinding(
            key_id=row["auth_key_id"], algorithm=row["auth_algorithm"], thumbprint=row["auth_thumbprint"]
        ),
        jkt=row["jkt"],
        redirect_uri=row["redirect_uri"],
        response_mode=row["response_mode"],
        scopes=tuple(row["scope"].split()),
        permission_sets=permission_sets,
        state=row["state"],
        code_challenge=row["code_challenge"],
        login_hint=row["login_hint"],
        prompt=row["prompt"],
        ui_locales=tuple((row["ui_locales"] or "").split()),
        stage=stage,
        expires_at=Instant(row["expires_at"]),
    )


def _document(client: ClientMetadata) -> str:
    stored = _ClientDocument(
        token_endpoint_auth_method=client.auth_method,
        grant_types=tuple(kind for kind in client.grant_types if kind == REFRESH_TOKEN),
        client_name=client.name,
        logo_uri=client.logo_uri,
        tos_uri=client.tos_uri,
        policy_uri=client.policy_uri,
    )
    return msgspec.json.encode(stored).decode()


def _client(client_id: ClientId, document: str | None) -> RequestingClient:
    if document is None:  # earlier versions stored nothing for a localhost client
        return RequestingClient(client_id=client_id, is_confidential=False, may_refresh=True)
    stored = _DOCUMENT.decode(document)
    return RequestingClient(
        client_id=client_id,
        is_confidential=stored.token_endpoint_auth_method == PRIVATE_KEY_JWT,
        may_refresh=REFRESH_TOKEN in stored.grant_types,
        name=stored.client_name,
        logo_uri=stored.logo_uri,
        tos_uri=stored.tos_uri,
        policy_uri=stored.policy_uri,
    )
