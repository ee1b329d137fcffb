"""DPoP proofs of requests: the stateful checks, which follow the stateless ones (``at_protocol``).

Order: form, key, URL, time and signature → the nonce → its single use. If a proof is refused because of its nonce,
neither it nor anything else in the request is marked as used.
"""

from collections.abc import Iterable
from hashlib import sha256

from at_protocol.oauth.dpop import MAX_AGE_SECONDS, BadDpopProof, DpopProof, verify_proof
from aurora_locus.oauth.nonces import DpopNonces
from groundwork.cache.contract import Cache
from groundwork.clock import SECOND, Clock

HEADER = b"dpop"


class NonceRequired(Exception):
    """The proof is valid except for its nonce."""


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
