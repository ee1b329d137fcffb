"""Verification of service tokens, with which an account calls this server through another server.

The checks run in this order: the token's claims (``at_protocol.xrpc.service_auth``), the issuer's document, the
signature (retried once with a freshly resolved document if that names another key), and single use. Only a token that
passes all other checks is recorded as used, so that nobody can use up a token that they cannot sign.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from at_protocol.crypto import jwt
from at_protocol.crypto.did_key import PublicKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import (
    MAX_CLOCK_SKEW_SECONDS,
    MAX_LIFETIME_SECONDS,
    BadServiceToken,
    ServiceToken,
    check_signature,
    read_service_token,
)
from groundwork.cache.contract import Cache
from groundwork.clock import SECOND, Clock
from groundwork.errors import Failure, InvalidInput, NotFound, NotSignedIn

Resolve = Callable[[Did], Awaitable[DidDocument]]


@dataclass(frozen=True, slots=True)
class ServiceCallers:
    """Verifies service tokens for one server.

    ``audiences`` are the names of this server. ``refresh`` bypasses the cache of ``resolve``, a few times a minute;
    ``resolve_current`` always does.
    """

    audiences: Collection[str]
    resolve: Resolve
    refresh: Resolve
    resolve_current: Resolve
    seen: Cache
    clock: Clock

    async def read(
        self, text: str, method: str, *, allow_labeler: bool = False, needs_current_key: bool = False
    ) -> Did:
        """Return the issuer of a valid, unused token for this method.

        With ``allow_labeler``, the issuer can be a labeler (``did#atproto_labeler``) that signs with its label key.
        With ``needs_current_key``, the issuer's document is fetched. Otherwise a cached one is used, which can be a day
        old and contain a key that has been replaced.
        Raises NotSignedIn with the error's name, and RemoteFailed or RemoteSlow if the issuer's key cannot be
        determined.
        """
        now_seconds = self.clock.now() // SECOND
        try:
            token = read_service_token(
                text,
                audiences=self.audiences,
                method=Nsid(method),
                now_seconds=now_seconds,
                allow_labeler=allow_labeler,
            )
            _require_an_end(token, now_seconds)
            if needs_current_key:
                _check(token, await self._key(self.resolve_current, token))
            else:
                await self._check_signature(token)
        except BadServiceToken as refused:
            raise _token_refused(refused.name, refused.why) from None
        lifetime = token.expires_at - now_seconds + 1
        if not await self.seen.put_if_absent(_name_of(token), b"", ttl_seconds=lifetime):
            raise _token_refused("BadJwt", "used before")
        return token.issuer

    async def _check_signature(self, token: ServiceToken) -> None:
        cached_key = await self._key(self.resolve, token)
        try:
            _check(token, cached_key)
        except BadServiceToken:
            fresh_key = await self._key(self.refresh, token)
            if fresh_key == cached_key:
                raise
            _check(token, fresh_key)

    async def _key(self, ask: Resolve, token: ServiceToken) -> PublicKey | None:
        try:
            document = await ask(token.issuer)
        except (NotFound, InvalidInput) as failure:
            raise BadServiceToken("BadJwtIss", token.issuer, _lower(failure)) from None
        return document.key(token.key_id.removeprefix("#"))


def is_service_token(text: str) -> bool:
    """Whether this looks like a service token: it names a method, or it has an issuer and no scope. Session tokens do
    not.
    """
    try:
        claims = jwt.read(text).claims
    except Malformed:
        return False
    return "lxm" in claims or ("iss" in claims and "scope" not in claims)


def _check(token: ServiceToken, key: PublicKey | None) -> None:
    if key is None:
        raise BadServiceToken("BadJwtSignature", token.issuer, "the issuer has no such key")
    check_signature(token, key)


def _require_an_end(token: ServiceToken, now_seconds: int) -> None:
    # Used tokens are recorded until they expire, so a token must not be valid for too long.
    if token.expires_at > now_seconds + MAX_LIFETIME_SECONDS + MAX_CLOCK_SKEW_SECONDS:
        raise BadServiceToken("BadJwt", token.expires_at, "valid for longer than an hour")


def _name_of(token: ServiceToken) -> str:
    # A token without an id is identified by its signed part. The signature cannot be used because it is malleable.
    text = token.unverified.signed if token.token_id is None else f"{token.issuer} {token.token_id}".encode()
    return f"service_token:{hashlib.sha256(text).hexdigest()}"


def _token_refused(name: str, why: str) -> NotSignedIn:
    return NotSignedIn(f"This service token cannot be used here: {why}.", name=name)


def _lower(failure: Failure) -> str:
    why = str(failure.why)
    return f"{why[:1].lower()}{why[1:].rstrip('.')}"
