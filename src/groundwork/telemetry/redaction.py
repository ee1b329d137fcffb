"""Redaction of log lines: credentials, e-mail addresses and private content never reach a log (invariants 3, 8).

Two filters, both run on every line as the last processor: fields whose *name* says that the value is secret, and text
that *looks* like a secret. The patterns err on the side of hiding.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "[redacted]"

# A field is hidden when one of these words stands in its name: `access_token`, `smtp_password`, `set-cookie`.
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

# Numbers about secrets (`token_count`, `password_seconds`) say nothing; only text and containers can hold one.
_HARMLESS = (bool, int, float, type(None))

_SHAPES = (
    # e-mail address; the local part may contain nearly anything but spaces and brackets (RFC 5321 4.1.2)
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
    """The text with everything that looks like a secret replaced."""
    text = _USERINFO.sub(HIDDEN, text)
    for shape in _SHAPES:
        text = shape.sub(HIDDEN, text)
    return _PARAMETER.sub(rf"\1={HIDDEN}", text)


def redact(value: Any) -> Any:
    """Any loggable value with secrets replaced, containers included."""
    if isinstance(value, str):
        # Most values are short words and identifiers that no pattern can match.
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
    """The structlog processor; stands directly before the renderer."""
    for name, value in line.items():
        if name not in ("event", "level", "at"):
            line[name] = _redact_field(name, value)
        elif name == "event":
            line[name] = redact(value)
    return line
