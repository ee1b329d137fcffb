"""Derive private keys from random bytes (FIPS 186-5, appendix A.2.1: extra random bits)."""

from at_protocol.failures import Misuse

# With 64 bits more than the order, the remainder below has no noticeable bias.
RECOMMENDED_ENTROPY_BYTES = 40


def scalar_from(entropy: bytes, order: int) -> bytes:
    """Return a number from 1 to order - 1, as 32 bytes. Raises Misuse for fewer than 32 random bytes."""
    if len(entropy) < 32:
        raise Misuse("a new key needs at least 32 random bytes")
    return (int.from_bytes(entropy, "big") % (order - 1) + 1).to_bytes(32, "big")
