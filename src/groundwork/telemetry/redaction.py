"""Redaction of log lines: credentials, e-mail addresses and private content must never reach a log (invariants 3, 8).

Two filters run on every line as the last processor: one hides fields whose *name* shows that the value is secret, and
one hides text that *looks* like a secret. In doubt, the patterns hide the text.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "[redacted]"

# A field is hidden if its name contains one of these words: `access_token`, `smtp_password`, `set-cookie`.
SECRET_WORDS = (
    "authorization",
    "cookie",
    "credential",
    "dpop",
    "email",
    "jwt",
    "passphrase",
    "password",
    "private_key",
    "secret",
    "token",
)

# Numbers about secrets (`token_count`, `password_seconds`) reveal nothing. Only text and containers can hold a secret.
_HARMLESS = (bool, int, float, type(None))

_SHAPES = (
    # e-mail address; the local part can contain nearly anything except spaces and brackets (RFC 5321 4.1.2)
    re.compile(r"[^\s<>\"'(),;:\\/@]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    # JWS or JWE in compact form: base64url of `{"` is always `eyJ`
    re.compile(r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,4}"),
    # Authorization header values
    re.compile(r"(?i)\b(?:Bearer|DPoP|Basic)\s+[A-Za-z0-9._~+/=-]{6,}"),
)
# key=value in query strings and form bodies
_PARAMETER = re.compile(r"(?i)\b([a-z_]*(?:token|password|secret|signature|code_verifier)|code)=[^&\s\"']+")
# user:password@ in URLs of databases and brokers
_USERINFO = re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+(?=@)")


def redact_text(text: str) -> str:
    """Return the text with everything that looks like a secret replaced."""
    text = _USERINFO.sub(HIDDEN, text)
    for shape in _SHAPES:
        text = shape.sub(HIDDEN, text)
    return _PARAMETER.sub(rf"\1={HIDDEN}", text)


def redact(value: Any) -> Any:
    """Return any loggable value with secrets replaced, including inside containers."""
    if isinstance(value, str):
        # Most values are short words and identifiers, which no pattern can match.
        return redact_text(value) if "@" in value or "=" in value or " " in value or "eyJ" in value else value
    if isinstance(value, _HARMLESS):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {key: _redact_field(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner) for inner in value]
    return redact_text(str(value))


def _redact_field(name: str, value: Any) -> Any:
    if not isinstance(value, _HARMLESS):
        lowered = name.lower()
        if any(word in lowered for word in SECRET_WORDS):
            return HIDDEN
    return redact(value)


def redact_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor. It must be the last one before the renderer."""
    for name, value in line.items():
        if name not in ("event", "level", "at"):
            line[name] = _redact_field(name, value)
        elif name == "event":
            line[name] = redact(value)
    return line
