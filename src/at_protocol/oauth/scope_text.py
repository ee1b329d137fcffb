"""The grammar that all scopes share: ``resource[:positional][?name=value[&name=value...]]``.

Source: atproto permissions specification, "Scope String Syntax"; RFC 6749 section 3.3. Scopes are case-sensitive and
consist of printable ASCII without quotation marks, backslashes and the space, which separates scopes. The positional
value and the parameter values are percent-decoded. An array is a name that occurs more than once.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from at_protocol.failures import Malformed

_PERMITTED = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_RESOURCE = re.compile(r"[A-Za-z0-9_.-]+")

# Characters that are left unescaped in a written scope. ``#``, ``&``, ``=``, ``+`` and ``%`` have a meaning there.
_READABLE = ":/*!$'(),;@-._~"


@dataclass(frozen=True, slots=True)
class ScopeText:
    """A parsed scope, not yet interpreted. ``positional`` is empty if there is none."""

    resource: str
    positional: str = ""
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)


def read_scope(text: str) -> ScopeText:
    """Parse a scope. Raises Malformed (kind ``scope``)."""
    if _PERMITTED.fullmatch(text) is None:
        raise Malformed(
            "scope", text, "a scope has printable ASCII characters only, and no quotation mark or backslash"
        )
    before, question_mark, query = text.partition("?")
    resource, _, positional = before.partition(":")
    if _RESOURCE.fullmatch(resource) is None:
        raise Malformed("scope", text, "no resource before the colon")
    parameters: dict[str, list[str]] = {}
    if question_mark and query:
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            parameters.setdefault(_decoded(name, text), []).append(_decoded(value, text))
    return ScopeText(resource, _decoded(positional, text), parameters)


def write_scope(resource: str, positional: str = "", parameters: Iterable[tuple[str, str]] = ()) -> str:
    """Return the text of a scope. Parsing it gives the same values."""
    text = f"{resource}:{_encoded(positional)}" if positional else resource
    query = "&".join(f"{name}={_encoded(value)}" for name, value in parameters)
    return f"{text}?{query}" if query else text


def split_scopes(text: str) -> list[str]:
    """Split a ``scope`` parameter into its scopes, in order; one that is repeated counts once. Raises Malformed for an
    empty one and for extra spaces.
    """
    scopes = text.split(" ")
    if any(_PERMITTED.fullmatch(scope) is None for scope in scopes):
        raise Malformed(
            "scope",
            text,
            "scopes are printable ASCII without quotation marks and backslashes, separated by single spaces",
        )
    return list(dict.fromkeys(scopes))


def _decoded(text: str, scope: str) -> str:
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise Malformed("scope", scope, "contains percent-encoded bytes that are not UTF-8") from error


def _encoded(text: str) -> str:
    return quote(text, safe=_READABLE)
