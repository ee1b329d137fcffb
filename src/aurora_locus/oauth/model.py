"""Requests, sessions and clients of the authorization server."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from at_protocol.lexicon.document import PermissionSetType
from at_protocol.oauth.client_id import ClientId
from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.errors import InvalidInput

ResponseMode = Literal["query", "fragment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientBinding:
    """How a client authenticated at first. Later requests must use the same key.

    All fields are None for a public client.
    """

    key_id: str | None = None
    algorithm: str | None = None
    thumbprint: str | None = None

    @property
    def method(self) -> Literal["none", "private_key_jwt"]:
        return "none" if self.key_id is None else "private_key_jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestingClient:
    """The parts of a client's document that are needed after its request was checked."""

    client_id: ClientId
    is_confidential: bool
    may_refresh: bool
    name: str | None = None
    logo_uri: str | None = None
    tos_uri: str | None = None
    policy_uri: str | None = None


class RequestStage(StrEnum):
    """How far an authorization request has got: pushed by the app, opened in a browser, decided by the person."""

    PUSHED = "pushed"
    OPENED = "opened"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """An app's authorization request. ``scopes`` are the requested scopes that this server supports, in the app's order
    but with ``atproto`` first.

    ``login_hint`` is a DID or a handle; only that account may approve. ``prompt`` is none, login, consent,
    select_account or create. ``permission_sets`` has the published permission set of each ``include:`` scope, by its
    NSID.
    """

    id: bytes
    client: RequestingClient
    is_trusted: bool
    """Whether the operator trusts this client, so that its name and logo may be shown instead of its URL."""
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
    ui_locales: tuple[str, ...]
    stage: RequestStage
    expires_at: Instant

    @property
    def client_id(self) -> ClientId:
        return self.client.client_id


class UnusableReason(StrEnum):
    """Why an authorization request cannot be answered. This never leads to a redirect, because nothing in the request
    is verified.
    """

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ANSWERED = "answered"
    ANOTHER_CLIENT = "another client"
    ANOTHER_BROWSER = "another browser"


class RequestUnusable(InvalidInput):
    """A request that this server cannot answer. ``why`` is the sentence for the page."""

    def __init__(self, reason: UnusableReason, why: str) -> None:
        super().__init__("request_uri", why, name="InvalidRequest")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedApp:
    """An app's session in the owner's list. ``client_name`` is set only if the operator trusts the client."""

    id: str
    client_id: ClientId
    client_name: str | None
    is_confidential: bool
    scopes: tuple[str, ...]
    device_id: str | None
    created_at: Instant
    refreshed_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSession:
    """A session, and the values that later requests are checked against."""

    id: str
    did: Did
    client_id: ClientId
    binding: ClientBinding
    jkt: str
    scope: str
    expanded_scope: str
    may_refresh: bool
    generation: int
    created_at: Instant
    refresh_expires_at: Instant
    expires_at: Instant
