"""Service tokens (``getServiceAuth``): audience, method, lifetime, and which sessions may get one.

An account presents such a token to another service. It is signed with the account's own key.
"""

import re
import secrets
from dataclasses import dataclass

from at_protocol.crypto.did_key import PrivateKey
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did, supported_method
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import LIFETIME_SECONDS, MAX_LIFETIME_SECONDS, make_service_token
from aurora_locus.accounts.model import SessionScope
from groundwork.clock import SECOND, Instant
from groundwork.errors import Forbidden, InvalidInput

# A token without a method can call every method, so it must expire soon in case it is stolen.
MAX_LIFETIME_WITHOUT_METHOD_SECONDS = 60

CREATE_ACCOUNT = "com.atproto.server.createAccount"

# Methods that change or reveal the account itself. They need a session of the account; no service may call them on its
# behalf.
PROTECTED = frozenset(
    name.lower()
    for name in (
        "com.atproto.admin.sendEmail",
        "com.atproto.identity.requestPlcOperationSignature",
        "com.atproto.identity.signPlcOperation",
        "com.atproto.identity.updateHandle",
        "com.atproto.server.activateAccount",
        "com.atproto.server.confirmEmail",
        "com.atproto.server.createAppPassword",
        "com.atproto.server.deactivateAccount",
        "com.atproto.server.getAccountInviteCodes",
        "com.atproto.server.getSession",
        "com.atproto.server.listAppPasswords",
        "com.atproto.server.requestAccountDelete",
        "com.atproto.server.requestEmailConfirmation",
        "com.atproto.server.requestEmailUpdate",
        "com.atproto.server.revokeAppPassword",
        "com.atproto.server.updateEmail",
    )
)
PRIVILEGED_SCOPES = frozenset({SessionScope.FULL, SessionScope.PRIVILEGED_APP_PASSWORD})

# Identifier of a service in a DID document, after the ``#``. The reference server accepts any text; we allow what a URL
# fragment can contain.
SERVICE_FRAGMENT = re.compile(r"[A-Za-z0-9._~:-]{1,256}")


@dataclass(frozen=True, slots=True)
class ServiceTokenRequest:
    """Parameters of ``getServiceAuth``. ``expires_at`` is in seconds since 1970."""

    audience: str
    method: Nsid | None
    expires_at: int | None


def is_privileged(method: str) -> bool:
    """Whether ordinary app passwords may not call this method: private conversations, and migrating the account away."""
    name = method.lower()
    return name.startswith("chat.bsky.") or name == CREATE_ACCOUNT.lower()


def require_allowed(request: ServiceTokenRequest, scope: SessionScope | None) -> None:
    """Raise InvalidInput or Forbidden unless a session of this scope may get such a token."""
    _require_audience(request.audience)
    method = "" if request.method is None else request.method
    if method.lower() in PROTECTED:
        raise InvalidInput("lxm", f"Tokens for {method} are not issued. Call it here with the account's own session.")
    is_move = method == CREATE_ACCOUNT
    if scope is SessionScope.TAKENDOWN and not is_move:
        raise Forbidden("A taken-down account can only get a token for moving away.")
    if is_privileged(method) and scope not in PRIVILEGED_SCOPES and scope is not SessionScope.TAKENDOWN:
        raise InvalidInput("lxm", f"{method} requires a privileged app password.")


def lifetime_seconds(request: ServiceTokenRequest, now: Instant) -> int:
    """Return the lifetime of the token in seconds. Raises InvalidInput (``BadExpiration``)."""
    if request.expires_at is None:
        return LIFETIME_SECONDS
    lifetime = request.expires_at - now // SECOND
    if lifetime <= 0:
        raise _bad_expiration("The expiration must be in the future, in seconds since 1970.")
    if lifetime > MAX_LIFETIME_SECONDS:
        raise _bad_expiration(f"A token lives for {MAX_LIFETIME_SECONDS} seconds at most.")
    if request.method is None and lifetime > MAX_LIFETIME_WITHOUT_METHOD_SECONDS:
        why = f"A token without a method (lxm) can be valid for at most {MAX_LIFETIME_WITHOUT_METHOD_SECONDS} seconds."
        raise _bad_expiration(why)
    return lifetime


def make(key: PrivateKey, did: Did, request: ServiceTokenRequest, now: Instant) -> str:
    """Make and sign a token. Raises InvalidInput (``BadExpiration``)."""
    return make_service_token(
        key,
        issuer=did,
        audience=request.audience,
        method=request.method,
        now_seconds=now // SECOND,
        token_id=secrets.token_hex(16),
        lifetime_seconds=lifetime_seconds(request, now),
    )


def _require_audience(audience: str) -> None:
    did, separator, fragment = audience.partition("#")
    try:
        supported_method(parse_did(did))
    except Malformed as error:
        why = f"The audience must be a DID, optionally followed by # and the name of a service: {error.why}."
        raise InvalidInput("aud", why) from None
    if separator and not SERVICE_FRAGMENT.fullmatch(fragment):
        raise InvalidInput("aud", "The text after # in the audience is not the name of a service.")


def _bad_expiration(why: str) -> InvalidInput:
    return InvalidInput("exp", why, name="BadExpiration")
