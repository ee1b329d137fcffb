"""DID documents: written in the form of the reference directory, parsed strictly.

A document without a usable key or PDS is not malformed, but the account is broken and its commits are ignored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from at_protocol.crypto import k256
from at_protocol.crypto.did_key import (
    LEGACY_TYPES,
    PublicKey,
    parse_did_key,
    parse_legacy_multibase,
    parse_multikey,
)
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle, parse_handle

ATPROTO_KEY: Final = "atproto"
PDS_SERVICE: Final = "atproto_pds"
PDS_TYPE: Final = "AtprotoPersonalDataServer"
MULTIKEY_TYPE: Final = "Multikey"

_CONTEXT = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"]
_K256_CONTEXT = "https://w3id.org/security/suites/secp256k1-2019/v1"
_P256_CONTEXT = "https://w3id.org/security/suites/ecdsa-2019/v1"


@dataclass(frozen=True, slots=True)
class DidService:
    """A service of an identity: its type and endpoint."""

    type: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class DidDocument:
    """A DID document. ``source`` is the whole document as JSON without white space.

    It is decoded on each use: an ordinary one takes microseconds, and decoded it would take five times the memory, or
    twenty times if a stranger wrote it for that purpose.
    """

    did: Did
    source: bytes

    @property
    def also_known_as(self) -> tuple[str, ...]:
        """The names that the document claims, without those that are not text."""
        names = self._members().get("alsoKnownAs")
        return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()

    @property
    def handle(self) -> Handle | None:
        """The handle that the document claims (the first well-formed one). Unverified until the handle resolves to this
        DID.
        """
        for name in self.also_known_as:
            if name.startswith("at://"):
                try:
                    return parse_handle(name[5:])
                except Malformed:  # has a path, or is not a host name: try the next one
                    continue
        return None

    @property
    def signing_key(self) -> PublicKey | None:
        """The key that signs this account's commits and service tokens. None means that the account is broken."""
        return self.key(ATPROTO_KEY)

    @property
    def pds(self) -> str | None:
        """``https://host[:port]`` of the account's PDS. None means that the account is broken."""
        return self.service(PDS_SERVICE, PDS_TYPE)

    def key(self, fragment: str) -> PublicKey | None:
        """Return the key of the first verification method with this fragment, if it belongs to this DID and can be
        read.
        """
        method = self._first("verificationMethod", fragment)
        if method is None or method.get("controller") != self.did:
            return None
        key_type, text = method.get("type"), method.get("publicKeyMultibase")
        if not isinstance(key_type, str) or not isinstance(text, str):
            return None
        try:
            if key_type == MULTIKEY_TYPE:
                return parse_multikey(text)
            if key_type in LEGACY_TYPES:
                return parse_legacy_multibase(text, key_type)
        except Malformed:
            return None
        return None

    def service(self, fragment: str, service_type: str | None = None) -> str | None:
        """Return the endpoint of the first service with this fragment, if its type (if given) and URL are valid."""
        service = self._first("service", fragment)
        if service is None or (service_type is not None and service.get("type") != service_type):
            return None
        endpoint = service.get("serviceEndpoint")  # other servers' documents can have objects and lists instead
        return host_url(endpoint) if isinstance(endpoint, str) else None

    def _first(self, section: str, fragment: str) -> dict[str, object] | None:
        # The id is relative or full. A full id with another DID belongs to another identity.
        names = {f"#{fragment}", f"{self.did}#{fragment}"}
        for entry in _entries(self._members().get(section)):
            if entry.get("id") in names:
                return entry
        return None

    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = msgspec.json.decode(self.source)
        return members


def _entries(section: object) -> Iterable[dict[str, object]]:
    if isinstance(section, list):
        for entry in section:
            if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                yield entry


def parse_did_document(document: object, did: Did) -> DidDocument:
    """Parse the JSON document of this DID. Raises Malformed (kind ``did document``) if it is invalid or describes
    another DID.
    """
    if not isinstance(document, dict):
        raise Malformed("did document", document, "not a JSON object")
    if document.get("id") != did:
        raise Malformed("did document", document.get("id"), f"not the document of {did}")
    return DidDocument(did, msgspec.json.encode(document))


def host_url(text: str) -> str | None:
    """Return ``scheme://host[:port]`` of an http(s) URL, or None if it has a path other than ``/``, a query or
    credentials.
    """
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or parts.password is not None:
        return None
    if parts.path not in {"", "/"} or "?" in text or "#" in text or not text.isprintable() or " " in text:
        return None
    authority = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{authority}" if port is None else f"{parts.scheme}://{authority}:{port}"


def build_did_document(
    did: Did,
    *,
    also_known_as: Iterable[str],
    verification_methods: Mapping[str, str],
    services: Mapping[str, DidService],
) -> dict[str, object]:
    """Build the document, ready for JSON. ``verification_methods`` (did:key texts) and ``services`` are by
    fragment.

    Raises Malformed (kind ``key``) for a text that is not a did:key. A key on an unknown curve is copied as it is, as
    the reference directory does.
    """
    context = list(_CONTEXT)
    methods: list[dict[str, str]] = []
    for fragment, text in verification_methods.items():
        if not text.startswith("did:key:"):
            raise Malformed("key", text, "does not begin with did:key:")
        suite = _suite_of(text)
        if suite is not None and suite not in context:
            context.append(suite)
        methods.append(
            {
                "id": f"{did}#{fragment}",
                "type": MULTIKEY_TYPE,
                "controller": did,
                "publicKeyMultibase": text.removeprefix("did:key:"),
            }
        )
    return {
        "@context": context,
        "id": did,
        "alsoKnownAs": list(also_known_as),
        "verificationMethod": methods,
        "service": [
            {"id": f"#{fragment}", "type": service.type, "serviceEndpoint": service.endpoint}
            for fragment, service in services.items()
        ],
    }


def _suite_of(did_key: str) -> str | None:
    try:
        key = parse_did_key(did_key)
    except Malformed:
        return None
    return _K256_CONTEXT if isinstance(key, k256.K256PublicKey) else _P256_CONTEXT
