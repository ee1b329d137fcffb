"""DPoP proofs (RFC 9449): a token for one request, signed with the key that an access token is bound to.

``verify_proof`` makes every stateless check of section 4.3: form, key, signature, method, URL, access token, time.
The caller checks that it issued the nonce, that ``token_id`` was not seen before, and for an access token that
``thumbprint`` is the one in its ``cnf.jkt``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import floor
from typing import Final, cast
from urllib.parse import quote, unquote_to_bytes, urlsplit

from at_protocol.crypto import base64url, jwt
from at_protocol.crypto.did_key import PrivateKey, PublicKey
from at_protocol.crypto.jwk import from_jwk, thumbprint, to_jwk
from at_protocol.failures import Malformed

ALGORITHMS: Final = ("ES256", "ES256K")
TYPE: Final = "dpop+jwt"

# How far a proof's times may differ from ours, in either direction; the same as in the reference server. The nonce also
# limits its age.
MAX_AGE_SECONDS: Final = 180

_MAX_TOKEN_ID_LENGTH: Final = 256
# Headers have about 250 characters. The cache keeps no longer ones, which anybody can make.
_MAX_KEPT_HEADER: Final = 1024
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_UNRESERVED: Final = "-._~"
# A path can contain sub-delimiters, ``:``, ``@`` and the slash unescaped (RFC 3986 section 3.3).
_PATH: Final = _UNRESERVED + "!$&'()*+,;=:@/"
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


class BadDpopProof(Malformed):
    """A proof that must not be accepted; ``why`` names the problem without quoting the proof."""

    def __init__(self, why: str) -> None:
        super().__init__("dpop proof", "(proof)", why)

    def __reduce__(self) -> tuple[type["BadDpopProof"], tuple[str]]:
        return (type(self), (self.why,))


@dataclass(frozen=True, slots=True, kw_only=True)
class DpopProof:
    """A proof with a valid signature. ``issued_at`` is in seconds since 1970."""

    key: PublicKey
    thumbprint: str
    token_id: str
    nonce: str | None
    issued_at: int


def token_hash(access_token: str) -> str:
    """Return ``ath``, the hash of the access token that a proof contains."""
    return base64url.encode(sha256(access_token.encode("ascii")).digest())


def normal_address(url: str) -> str:
    """Return the URL in the canonical form for proofs: no query, fragment, default port or dot segments.

    Raises BadDpopProof for anything other than an http(s) URL (RFC 9449 section 4.3, RFC 3986 sections 6.2.2 and
    6.2.3).
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadDpopProof("htu is not an address") from error
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username is not None or parts.password is not None:
        raise BadDpopProof("htu is not an http or https address")
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        authority = f"{authority}:{port}"
    return f"{parts.scheme}://{authority}{_normal_path(parts.path)}"


def verify_proof(text: str, *, method: str, address: str, access_token: str | None, now_seconds: int) -> DpopProof:
    """Verify a proof for one request. Raises BadDpopProof.

    ``address`` is our own URL in the form of ``normal_address``. ``access_token`` is the one in the request, or
    None.
    """
    try:
        token = jwt.read(text)
        key, name = _key_of(text.partition(".")[0])
    except BadDpopProof:
        raise
    except Malformed as error:
        raise BadDpopProof(error.why) from None
    claims = token.claims
    if claims.get("htm") != method:
        raise BadDpopProof("it is for another method")
    htu = claims.get("htu")
    # Nearly every client writes the URL as we do. The others are normalized.
    if htu != address and (not isinstance(htu, str) or normal_address(htu) != address):
        raise BadDpopProof("it is for another URL")
    ath = claims.get("ath")
    if ath != (None if access_token is None else token_hash(access_token)):
        raise BadDpopProof("it does not belong to this access token")
    token_id, nonce = claims.get("jti"), claims.get("nonce")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= _MAX_TOKEN_ID_LENGTH:
        raise BadDpopProof("it has no usable jti")
    if nonce is not None and not isinstance(nonce, str):
        raise BadDpopProof("its nonce is not text")
    issued_at = _check_times(claims, now_seconds)
    # JOSE libraries make high-S signatures as often as low-S ones.
    if not token.is_signed_by(key, allow_high_s=True):
        raise BadDpopProof("its signature was not made with the key that it names")
    return DpopProof(key=key, thumbprint=name, token_id=token_id, nonce=nonce, issued_at=issued_at)


def make_proof(
    private: PrivateKey,
    *,
    method: str,
    url: str,
    token_id: str,
    now_seconds: int,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """Create a proof for one request. For clients; ``token_id`` is random."""
    claims: dict[str, object] = {
        "jti": token_id,
        "htm": method,
        "htu": url.partition("#")[0].partition("?")[0],
        "iat": now_seconds,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = token_hash(access_token)
    return jwt.sign(claims, private, header={"typ": TYPE, "jwk": to_jwk(private.public)})


def _check_times(claims: Mapping[str, object], now_seconds: int) -> int:
    """Return ``iat``, rounded down. Like ``exp`` and ``nbf``, it may have a fraction (RFC 7519 section 2)."""
    if "iat" not in claims:
        raise BadDpopProof("it does not say when it was created")
    earliest, latest = now_seconds - MAX_AGE_SECONDS, now_seconds + MAX_AGE_SECONDS
    times = {name: claims[name] for name in ("iat", "exp", "nbf") if name in claims}
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadDpopProof(f"its {name} is not a time")
        # Written so that NaN, which Python’s JSON parser accepts, is refused.
        if not ((name == "exp" or value <= latest) and (name == "nbf" or value >= earliest)):
            raise BadDpopProof(f"its {name} is too far from now, or the client's clock is wrong")
    return floor(cast("float", times["iat"]))


def _key_of(header: str) -> tuple[PublicKey, str]:
    return _kept_key(header) if len(header) <= _MAX_KEPT_HEADER else _read_key(header)


def _read_key(header: str) -> tuple[PublicKey, str]:
    """Return the key of a proof and its thumbprint. Raises BadDpopProof."""
    members = jwt.read(f"{header}.e30.").header
    if members.get("typ") != TYPE:
        raise BadDpopProof("its typ is not dpop+jwt")
    if members.get("alg") not in ALGORITHMS:
        raise BadDpopProof(f"its algorithm is not one of {', '.join(ALGORITHMS)}")
    if "crit" in members:
        raise BadDpopProof("it has critical headers that are not understood here")
    jwk = members.get("jwk")
    if not isinstance(jwk, Mapping):
        raise BadDpopProof("it has no key")
    key = from_jwk(jwk)
    return key, thumbprint(key)


# A client sends the same header with every proof. It is cached because parsing and hashing its key costs more than
# everything else.
_kept_key = lru_cache(maxsize=4096)(_read_key)


def _normal_path(path: str) -> str:
    decoded = _ESCAPED.sub(lambda found: quote(unquote_to_bytes(found[0]), safe=_UNRESERVED), path)
    segments: list[str] = []
    for segment in quote(decoded, safe=_PATH + "%").split("/")[1:]:
        match segment:
            case ".":
                continue
            case "..":
                if segments:
                    segments.pop()
            case _:
                segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return "/" + "/".join(segments)
