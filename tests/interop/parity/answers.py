"""Responses of two servers in a comparable form: values that differ between servers are replaced by a name, and values
that depend on time by their type.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

# Decided by the clock, by chance or by a server's own keys.
_VOLATILE = (
    ("DID", re.compile(r"did:plc:(?!a{24})[a-z2-7]{24}")),
    ("commit or record", re.compile(r"bafyrei[a-z2-7]{52}")),
    ("jwt", re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")),
    ("did:key", re.compile(r"did:key:z[1-9A-HJ-NP-Za-km-z]+")),
    ("multikey", re.compile(r"z[1-9A-HJ-NP-Za-km-z]{40,}")),
    ("instant", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")),
    ("app password", re.compile(r"\b[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}\b")),
    ("invite", re.compile(r"\b[\w-]+-[a-z2-7]{5}-[a-z2-7]{5}\b")),
    ("tid", re.compile(r"\b3[a-z2-7]{12}\b")),
)

# Headers compared by value. Of those below only the presence is compared.
_HEADERS = (
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-max-age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-security-policy",
    "content-type",
    "location",
    "upgrade",
    "www-authenticate",
    "x-content-type-options",
)
# Our server sends these with more responses than the reference, so only a missing one counts.
_SAID_MORE = ("header cache-control", "header content-security-policy", "header x-content-type-options")
_PRESENT = ("atproto-repo-rev", "content-language", "dpop-nonce", "retry-after")
COUNTED = ("ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset")

HTTP_STATUS = "HTTP status"

# Values of each server's own, or derived from random keys: only their type counts.
_OWN = frozenset(
    {"message", "error_description", "version", "cursor", "repoBlocks", "expires_in", "request_uri", "sig"}
)


@dataclass(frozen=True)
class Exchange:
    """One request and its response. ``facts`` are the compared properties, by name."""

    label: str
    request: str
    answer: str
    facts: Mapping[str, str]


def exchange(
    label: str, request: str, answer: httpx.Response, names: Mapping[str, str], counted: bool = False
) -> Exchange:
    """Make an exchange in which one server's own values are replaced by names (``did:plc:… -> <ana>``)."""
    facts = {HTTP_STATUS: str(answer.status_code)}
    for name in _HEADERS:
        if name in answer.headers:
            facts[f"header {name}"] = _header(name, named(answer.headers[name], names))
    for name in (*_PRESENT, *(COUNTED if counted else ())):
        if name in answer.headers:
            facts[f"header {name}"] = "present"
    facts |= _body(answer, names)
    shown = f"{answer.status_code} {answer.headers.get('content-type', '')} {named(answer.text[:300], names)}"
    return Exchange(label, named(request, names), shown, facts)


def differences(ours: Exchange, theirs: Exchange) -> list[str]:
    """Each fact that differs, as ``fact: ours, reference``. If the status differs, little else is reported."""
    names = sorted({*ours.facts, *theirs.facts})
    if ours.facts[HTTP_STATUS] != theirs.facts[HTTP_STATUS]:
        names = [HTTP_STATUS, "error"]
    return [
        f"{name}: {ours.facts.get(name, 'absent')}, reference: {theirs.facts.get(name, 'absent')}"
        for name in names
        if ours.facts.get(name) != theirs.facts.get(name) and (name in theirs.facts or name not in _SAID_MORE)
    ]


def named(text: str, names: Mapping[str, str]) -> str:
    """The text with one server's own values replaced by names, the longest first."""
    for thing in sorted(names, key=len, reverse=True):
        text = text.replace(thing, names[thing])
    return text


def _header(name: str, value: str) -> str:
    if name == "www-authenticate":
        # The scheme and the name of the error. Each server chooses which algorithms it accepts.
        return " ".join([value.partition(" ")[0], *re.findall(r'error="\w+"', value)])
    return ", ".join(
        sorted(part.strip() for part in re.sub(r"; ?charset=utf-8", "", value, flags=re.IGNORECASE).split(","))
    )


def _body(answer: httpx.Response, names: Mapping[str, str]) -> dict[str, str]:
    content_type = answer.headers.get("content-type", "").partition(";")[0]
    if content_type not in ("application/json", "application/problem+json"):
        if content_type.startswith("text/"):
            return {"body": "text" if answer.content else "empty"}
        return {"body": "bytes" if answer.content else "empty"}
    if not answer.content:
        return {"body": "empty"}
    facts: dict[str, str] = {}
    _walk(msgspec.json.decode(answer.content), "", facts, names)
    if "error" in facts and answer.status_code >= 400:
        return {"error": facts.pop("error"), **{name: facts[name] for name in facts if name != "message"}}
    return facts


def _walk(value: Any, path: str, facts: dict[str, str], names: Mapping[str, str]) -> None:
    match value:
        case dict():
            if not value:
                facts[path or "body"] = "{}"
            for key, each in value.items():
                _walk(each, f"{path}.{key}" if path else named(key, names), facts, names)
        case list():
            facts[path or "body"] = f"list of {len(value)}"
            for index, each in enumerate(value):
                _walk(each, f"{path}[{index}]", facts, names)
        case _ if path.rpartition(".")[2] in _OWN:
            facts[path or "body"] = type(value).__name__
        case str():
            facts[path or "body"] = _text(value, names)
        case _:
            facts[path or "body"] = str(value)


def _text(text: str, names: Mapping[str, str]) -> str:
    text = named(text, names)
    for kind, pattern in _VOLATILE:
        text = pattern.sub(f"<{kind}>", text)
    return text
