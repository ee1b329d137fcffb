"""Sign and verify as many bytes as a commit has on secp256k1, compared with ``cryptography`` (OpenSSL)."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from at_protocol.crypto.k256 import K256PrivateKey
from tests.bench.figure import Figure, Peer, check
from tests.bench.timing import rates

CONTENT = bytes(range(256))[:140]


def measure() -> Iterator[Figure]:
    key = K256PrivateKey(bytes(31) + b"\x2a")
    signature = key.sign(CONTENT)
    public = key.public
    check(public.verify(CONTENT, signature), "our signature does not verify")
    check(not public.verify(CONTENT + b"x", signature), "a signature of other bytes verifies")

    secret = ec.derive_private_key(0x2A, ec.SECP256K1())
    hashing = ec.ECDSA(SHA256())
    foreign, point = secret.sign(CONTENT, hashing), secret.public_key()

    ours, theirs = rates(lambda: key.sign(CONTENT), lambda: secret.sign(CONTENT, hashing))
    yield Figure("sign 140 bytes", ours, "/s", peer=Peer("cryptography", theirs))
    ours, theirs = rates(lambda: public.verify(CONTENT, signature), lambda: point.verify(foreign, CONTENT, hashing))
    yield Figure("verify", ours, "/s", peer=Peer("cryptography", theirs))
