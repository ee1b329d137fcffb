"""CORS for APIs without cookies: any origin may call them, and none gets credentials."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Scope

_DAY_SECONDS = b"86400"

XRPC_EXPOSED = (
    "DPoP-Nonce",
    "WWW-Authenticate",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "RateLimit-Policy",
    "Retry-After",
    "atproto-repo-rev",
    "atproto-content-labelers",
    "atproto-upstream-lag",
    # Response headers for files and parts of files.
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
)


@dataclass(frozen=True, slots=True)
class Cors:
    """CORS rules for paths below ``prefixes``. If ``request_headers`` is empty, all headers that the browser asks for
    are allowed.
    """

    prefixes: tuple[str, ...]
    exposed: tuple[str, ...] = ()
    request_headers: tuple[str, ...] = ()
    methods: str = "GET, HEAD, POST, PUT, PATCH, DELETE"

    def covers(self, path: str) -> bool:
        return path.startswith(self.prefixes)

    def response_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every response, including errors, because a script cannot read an error without them."""
        headers = [(b"access-control-allow-origin", b"*")]
        if self.exposed:
            headers.append((b"access-control-expose-headers", ", ".join(self.exposed).encode("latin-1")))
        return headers

    def preflight_headers(self, scope: Scope) -> list[tuple[bytes, bytes]] | None:
        """Return the whole response to a preflight, or None for another request.

        Every ``OPTIONS`` request counts as a preflight, because no route answers ``OPTIONS``.
        """
        if scope["method"] != "OPTIONS":
            return None
        request_headers = dict(scope["headers"])
        allowed = ", ".join(self.request_headers).encode("latin-1")
        headers = [
            (b"access-control-allow-origin", b"*"),
            (b"access-control-allow-methods", self.methods.encode("latin-1")),
            (b"access-control-max-age", _DAY_SECONDS),
            (b"vary", b"access-control-request-headers"),
        ]
        if b"access-control-request-headers" in request_headers:
            headers.append(
                (b"access-control-allow-headers", allowed or request_headers[b"access-control-request-headers"])
            )
        return headers


def rule_for(rules: Iterable[Cors], path: str) -> Cors | None:
    """Return the first rule that covers the path."""
    return next((rule for rule in rules if rule.covers(path)), None)
