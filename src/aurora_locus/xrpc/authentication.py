"""Caller types and required access levels of methods, and the contract of authentication.

The implementation reads the Authorization header (sessions, service tokens, administrator). An unusable header is
refused, so that clients notice, except on methods that ignore it (``AccessLevel.OPTIONAL_LENIENT``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from starlette.types import Scope as Request

from at_protocol.oauth.grant import Grant
from at_protocol.syntax.did import Did
from aurora_locus.accounts.model import RefreshToken, SessionScope
from aurora_locus.moderation.roles import PdsOperator


class AccessLevel(StrEnum):
    """The access level that a method requires of its caller. The method itself checks further permissions."""

    OPTIONAL = "optional"
    """Anybody. Valid credentials identify the caller (an owner sees more of their own repository); invalid ones are
    refused.
    """
    OPTIONAL_LENIENT = "optional, lenient"
    """Anybody. Valid credentials identify the caller; invalid ones are ignored, as in the reference server, so that an
    app whose session has expired can still sign in and read.
    """
    ACCESS = "access"
    """An account of this server: with a session, an app password or an OAuth grant."""
    FULL_ACCESS = "full access"
    """A session opened with the account's own password."""
    REFRESH = "refresh"
    """A refresh token, sent as Bearer."""
    SERVICE = "service"
    """A session, or a service token that an account has signed for this method, sent by another service."""
    ARRIVAL = "arrival"
    """Anybody, or an account of another server that migrates to this one, with a service token."""
    MODERATOR = "moderator"
    """The host's administration, or the configured moderation service with a service token for this method."""
    ADMIN = "admin"
    """The host's administration: anyone with the administrator password."""


@dataclass(frozen=True, slots=True)
class PdsCaller:
    """The caller. ``did`` is None only for operators of the host. ``scope`` is None for operators, for service tokens
    and for OAuth apps, whose ``grant`` says what they may do.
    """

    did: Did | None
    scope: SessionScope | None = None
    operator: PdsOperator | None = None
    refresh: RefreshToken | None = None
    grant: Grant | None = None
    is_arriving: bool = False

    def may_see(self, did: Did) -> bool:
        """Whether the caller may read this repository whatever its status, as its owner and the host may."""
        return self.is_admin or self.did == did

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an operator of the host, with any role."""
        return self.operator is not None


class Authenticate(Protocol):
    """Contract of authentication. Raises NotSignedIn or Forbidden. Returns None for an anonymous caller where that is
    allowed.
    """

    async def __call__(
        self, need: AccessLevel, nsid: str, headers: Mapping[bytes, bytes], request: Request, /
    ) -> PdsCaller | None: ...
