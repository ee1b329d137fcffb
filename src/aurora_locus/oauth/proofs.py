"""DPoP proofs of requests and their nonces: the stateful checks, which follow the stateless ones (``at_protocol``).

Order: form, key, URL, time and signature → the nonce → its single use. If a proof is refused because of its nonce,
neither it nor anything else in the request is marked as used.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256

from at_protocol.crypto import base64url
from at_protocol.oauth.dpop import MAX_AGE_SECONDS, BadDpopProof, DpopProof, verify_proof
from groundwork.cache.contract import Cache
from groundwork.clock import MINUTE, SECOND, Clock

HEADER = b"dpop"
# How long a nonce is the newest.
NONCE_SLOT = MINUTE


class NonceRequired(Exception):
    """The proof is valid except for its nonce."""


class DpopNonces:
    """Nonces, derived from a secret and the current minute, so that every process can compute them and they survive
    restarts (RFC 9449 section 8). A proof with such a nonce was made within the last minutes, even if the client's clock
    is wrong.

    The previous and the next nonce are accepted as well, because another process's clock may be ahead.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._slot = -1
        self._accepted: tuple[str, ...] = ()

    def newest(self) -> str:
        """The nonce that is sent with every response."""
        return self._now()[1]

    def accepts(self, nonce: str) -> bool:
        """Whether this server issued the nonce recently."""
        return nonce in self._now()  # nonces are public, so no constant-time comparison is needed

    def _now(self) -> tuple[str, ...]:
        slot = self._clock.now() // NONCE_SLOT
        if slot != self._slot:
            self._accepted = tuple(self._of(each) for each in (slot - 1, slot, slot + 1))
            self._slot = slot
        return self._accepted

    def _of(self, slot: int) -> str:
        return base64url.encode(hmac.digest(self._secret, b"dpop nonce %d" % slot, sha256)[:24])


def header_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the request's proof. Raises BadDpopProof unless there is exactly one (RFC 9449 section 4.3)."""
    values = [value for name, value in headers if name == HEADER]
    if len(values) != 1:
        raise BadDpopProof("there must be exactly one DPoP header")
    return values[0].decode("latin-1")


def check(
    text: str, nonces: DpopNonces, clock: Clock, *, method: str, address: str, access_token: str | None = None
) -> DpopProof:
    """Check everything except single use. Raises BadDpopProof, or NonceRequired for a proof without one of our nonces."""
    proof = verify_proof(
        text, method=method, address=address, access_token=access_token, now_seconds=clock.now() // SECOND
    )
    if proof.nonce is None or not nonces.accepts(proof.nonce):
        raise NonceRequired
    return proof


async def use_up(proof: DpopProof, replays: Cache, clock: Clock) -> None:
    """Mark the proof as used. Raises BadDpopProof if it was used before."""
    key = sha256(f"{proof.thumbprint} {proof.token_id}".encode()).hexdigest()
    # Remembered until the proof would be refused for its age.
    left = proof.issued_at + MAX_AGE_SECONDS - clock.now() // SECOND + 1
    if not await replays.put_if_absent(f"dpop:{key}", b"", ttl_seconds=left):
        raise BadDpopProof("it was used before")
