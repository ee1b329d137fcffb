"""Dependencies of the authorization server, assembled once by ``app``."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from aurora_locus.accounts.registry import Registry
from aurora_locus.oauth.access_tokens import AccessTokens
from aurora_locus.oauth.clients import Clients
from aurora_locus.oauth.permission_documents import PermissionDocuments
from aurora_locus.oauth.proofs import DpopNonces
from aurora_locus.oauth.refresh_tokens import RefreshTokens
from aurora_locus.oauth.session_cache import SessionCache
from groundwork.cache.contract import Cache


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """The authorization server. ``issuer`` is its public URL, which is also that of the resource server. ``replays``
    remembers used proofs and assertions.
    """

    registry: Registry
    issuer: str
    nonces: DpopNonces
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    clients: Clients
    permission_documents: PermissionDocuments
    session_cache: SessionCache
    replays: Cache
    trusted_clients: AbstractSet[str]
    is_development: bool
