"""Key sets of clients (JWKS, RFC 7517): public keys by their ``kid``.

Keys on unsupported curves are skipped. A set with a private key is rejected: its owner published the key by mistake,
and anyone who read it can sign with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from at_protocol.crypto.did_key import PublicKey
from at_protocol.crypto.jwk import from_jwk, thumbprint
from at_protocol.failures import Malformed

MAX_KEYS = 100

# RFC 7518 sections 6.2.2, 6.3.2 and 6.4: the members that hold secrets.
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One key of a client."""

    key_id: str
    public: PublicKey

    @property
    def thumbprint(self) -> str:
        return thumbprint(self.public)


def parse_jwks(value: object) -> dict[str, ClientKey]:
    """Return the usable keys by ``kid``. Raises Malformed (kind ``jwks``). An empty set is valid."""
    keys = value.get("keys") if isinstance(value, Mapping) else None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise Malformed("jwks", type(value).__name__, f"not an object with a list of at most {MAX_KEYS} keys")
    keys_by_id: dict[str, ClientKey] = {}
    for jwk in keys:
        if not isinstance(jwk, Mapping):
            raise Malformed("jwks", type(jwk).__name__, "a key is not an object")
        if jwk.keys() & _SECRET_MEMBERS:
            raise Malformed("jwks", "(secret)", "a private key is published")
        key = _client_key(jwk)
        if key is None:
            continue
        if key.key_id in keys_by_id:
            raise Malformed("jwks", key.key_id, "two keys have the same kid")
        keys_by_id[key.key_id] = key
    return keys_by_id


def _client_key(jwk: Mapping[str, object]) -> ClientKey | None:
    key_id = jwk.get("kid")
    if not isinstance(key_id, str) or not key_id:
        return None
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        public = from_jwk(jwk)
    except Malformed:
        return None
    return ClientKey(key_id, public) if jwk.get("alg", public.algorithm) == public.algorithm else None
