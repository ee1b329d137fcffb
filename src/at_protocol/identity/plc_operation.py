"""PLC operations: their three forms, signed bytes, CIDs, and the DID of a genesis operation.

An operation is JSON on the wire and DAG-CBOR for hashing and signing. CIDs inside it are text, not links. Each form
allows only its own fields, so the types in this module hold the whole operation and encode to the same bytes. Existing
logs contain operations that no directory would accept today (no rotation keys, or duplicate ones):
``parse_operation`` reads them, and ``check_limits`` is for new ones. ``at_protocol.identity.plc_log``
decides which operations may follow which.
"""

from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Final, TypeAlias, TypeVar

from at_protocol.crypto import base58, base64url
from at_protocol.crypto.did_key import PrivateKey, PublicKey, format_did_key, parse_did_key
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed, Misuse
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE, PDS_TYPE, DidService
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle


class PlcRefusal(StrEnum):
    """The reasons for which a directory rejects an operation, named as in the reference implementation."""

    IMPROPER_OPERATION = "ImproperOperation"
    MISORDERED_OPERATION = "MisorderedOperation"
    LATE_RECOVERY = "LateRecovery"
    GENESIS_HASH = "GenesisHash"
    INVALID_SIGNATURE = "InvalidSignature"
    UNSUPPORTED_KEY = "UnsupportedKey"


class OperationRefused(Malformed):
    """A did:plc operation that breaks a rule; ``kind`` is a ``PlcRefusal``."""


# Limits of the reference directory. Its specification says 7500 bytes and 1 to 5 unique rotation keys. Our own
# operations respect both.
MAX_BYTES: Final = 4000
MAX_ENTRIES: Final = 10
MAX_OWN_ROTATION_KEYS: Final = 5
_MAX_NAME = 258
_MAX_FRAGMENT = 32
_MAX_TYPE = 256
_MAX_ENDPOINT = 512
_MAX_KEY = 256


@dataclass(frozen=True, slots=True)
class PlcOperation:
    """``plc_operation``: the whole state of an identity. ``prev`` is the CID of the previous operation, or None at the
    start.
    """

    rotation_keys: tuple[str, ...]
    verification_methods: Mapping[str, str]
    also_known_as: tuple[str, ...]
    services: Mapping[str, DidService]
    prev: str | None = None
    sig: str | None = None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """``plc_tombstone``: the end of an identity, unless a recovery follows."""

    prev: str
    sig: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyCreate:
    """``create``: the older genesis operation, from before ``plc_operation``. Occurs only as the first operation of old
    logs.
    """

    signing_key: str
    recovery_key: str
    handle: str
    service: str
    sig: str | None = None

    @property
    def prev(self) -> None:
        """Always None: this operation is always the first of its log."""
        return


AnyOperation: TypeAlias = PlcOperation | Tombstone | LegacyCreate
_Form = TypeVar("_Form", PlcOperation, Tombstone, LegacyCreate)


def parse_operation(document: object) -> AnyOperation:
    """Parse a signed operation from JSON. Raises OperationRefused (ImproperOperation)."""
    if not isinstance(document, dict):
        raise _improper(document, "not a JSON object")
    match document.get("type"):
        case "plc_operation":
            return _parse_regular(document)
        case "plc_tombstone":
            _require_exact_fields(document, {"type", "prev", "sig"})
            return Tombstone(_text(document, "prev"), _text(document, "sig"))
        case "create":
            _require_exact_fields(document, {"type", "signingKey", "recoveryKey", "handle", "service", "prev", "sig"})
            if document["prev"] is not None:
                raise _improper(document["prev"], "prev of a first operation must be null")
            return LegacyCreate(
                signing_key=_text(document, "signingKey"),
                recovery_key=_text(document, "recoveryKey"),
                handle=_text(document, "handle"),
                service=_text(document, "service"),
                sig=_text(document, "sig"),
            )
        case other:
            raise _improper(other, "not a type of operation")


def _improper(value: object, why: str) -> OperationRefused:
    return OperationRefused(PlcRefusal.IMPROPER_OPERATION, value, why)


def _require_exact_fields(document: dict[str, object], names: set[str]) -> None:
    if document.keys() != names:
        raise _improper(sorted(map(str, document.keys() ^ names)), "fields are missing or unknown")


def _text(document: Mapping[str, object], name: str) -> str:
    text = document[name]
    if not isinstance(text, str):
        raise _improper(text, f"{name} is not text")
    return text


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _improper(value, f"{name} is not a list of strings")
    return tuple(value)


def _entries(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _improper(value, f"{name} is not an object")
    return value


def _parse_regular(document: dict[str, object]) -> PlcOperation:
    _require_exact_fields(
        document, {"type", "rotationKeys", "verificationMethods", "alsoKnownAs", "services", "prev", "sig"}
    )
    methods = _entries(document["verificationMethods"], "verificationMethods")
    services: dict[str, DidService] = {}
    for fragment, value in _entries(document["services"], "services").items():
        service = _entries(value, "a service")
        _require_exact_fields(service, {"type", "endpoint"})
        services[fragment] = DidService(_text(service, "type"), _text(service, "endpoint"))
    return PlcOperation(
        rotation_keys=_texts(document["rotationKeys"], "rotationKeys"),
        verification_methods={fragment: _text(methods, fragment) for fragment in methods},
        also_known_as=_texts(document["alsoKnownAs"], "alsoKnownAs"),
        services=services,
        prev=None if document["prev"] is None else _text(document, "prev"),
        sig=_text(document, "sig"),
    )


def to_json(operation: AnyOperation) -> dict[str, Value]:
    """Return the operation's wire form, without ``sig`` if it is not signed yet."""
    document = _unsigned(operation)
    if operation.sig is not None:
        document["sig"] = operation.sig
    return document


def _unsigned(operation: AnyOperation) -> dict[str, Value]:
    match operation:
        case PlcOperation():
            return {
                "type": "plc_operation",
                "rotationKeys": list(operation.rotation_keys),
                "verificationMethods": dict(operation.verification_methods),
                "alsoKnownAs": list(operation.also_known_as),
                "services": {
                    fragment: {"type": service.type, "endpoint": service.endpoint}
                    for fragment, service in operation.services.items()
                },
                "prev": operation.prev,
            }
        case Tombstone():
            return {"type": "plc_tombstone", "prev": operation.prev}
        case LegacyCreate():
            return {
                "type": "create",
                "signingKey": operation.signing_key,
                "recoveryKey": operation.recovery_key,
                "handle": operation.handle,
                "service": operation.service,
                "prev": None,
            }


def _encoded(document: dict[str, Value]) -> bytes:
    try:
        return cbor.encode(document)
    except Malformed as error:  # an unpaired surrogate
        raise _improper(error.value, error.why) from error


def unsigned_bytes(operation: AnyOperation) -> bytes:
    """Return the bytes that the signature covers."""
    return _encoded(_unsigned(operation))


def signed_bytes(operation: AnyOperation) -> bytes:
    """Return the bytes from which CID and DID are computed. Raises Misuse if the operation is not signed yet."""
    if operation.sig is None:
        raise Misuse("the operation is not signed yet")
    return _encoded(to_json(operation))


def sign(operation: _Form, key: PrivateKey) -> _Form:
    """Return the operation signed with this rotation key."""
    return replace(operation, sig=base64url.encode(key.sign(unsigned_bytes(operation))))


def cid_of(operation: AnyOperation) -> Cid:
    """Return the CID of a signed operation. The next operation refers to it as ``prev``."""
    return Cid.for_cbor(signed_bytes(operation))


def did_of(genesis: AnyOperation) -> Did:
    """Return the DID created by a signed genesis operation."""
    digest = b32encode(sha256(signed_bytes(genesis)).digest()).decode("ascii").lower()
    return Did("did:plc:" + digest[:24])


def normalised(operation: PlcOperation | LegacyCreate) -> PlcOperation:
    """Return the operation's content in the current form. CID, DID and signature belong to the original form."""
    if isinstance(operation, PlcOperation):
        return operation
    endpoint = operation.service
    if not endpoint.startswith(("https://", "http://")):
        endpoint = "https://" + endpoint
    handle = operation.handle.removeprefix("at://").removeprefix("http://").removeprefix("https://")
    return PlcOperation(
        rotation_keys=(operation.recovery_key, operation.signing_key),
        verification_methods={ATPROTO_KEY: operation.signing_key},
        also_known_as=(f"at://{handle}",),
        services={PDS_SERVICE: DidService(PDS_TYPE, endpoint)},
        prev=None,
        sig=operation.sig,
    )


def account_operation(
    *,
    rotation_keys: tuple[PublicKey, ...],
    signing_key: PublicKey,
    handle: Handle,
    pds: str,
    prev: Cid | None = None,
) -> PlcOperation:
    """Build the unsigned operation of an ordinary account. Keys are in order of authority; ``pds`` is ``https://host``.

    Raises Misuse unless there are 1 to 5 unique rotation keys, which both the specification and the reference directory
    accept.
    """
    keys = tuple(format_did_key(key) for key in rotation_keys)
    if not 0 < len(keys) <= MAX_OWN_ROTATION_KEYS or len(set(keys)) != len(keys):
        raise Misuse(f"an operation has 1 to {MAX_OWN_ROTATION_KEYS} different rotation keys")
    return PlcOperation(
        rotation_keys=keys,
        verification_methods={ATPROTO_KEY: format_did_key(signing_key)},
        also_known_as=(f"at://{handle}",),
        services={PDS_SERVICE: DidService(PDS_TYPE, pds)},
        prev=None if prev is None else str(prev),
    )


def signer_of(operation: AnyOperation, rotation_keys: tuple[str, ...]) -> int:
    """Return the index of the first of these keys that signed the operation. Raises OperationRefused
    (InvalidSignature).

    A key on an unsupported curve never counts as the signer.
    """
    try:
        signature = base64url.decode(operation.sig or "")
    except Malformed as error:
        raise OperationRefused(PlcRefusal.INVALID_SIGNATURE, operation.sig, error.why) from error
    content = unsigned_bytes(operation)
    for index, text in enumerate(rotation_keys):
        try:
            key = parse_did_key(text)
        except Malformed:
            continue
        if key.verify(content, signature):
            return index
    raise OperationRefused(
        PlcRefusal.INVALID_SIGNATURE, operation.sig, "it is not signed by a rotation key with the required authority"
    )


def check_limits(operation: AnyOperation) -> None:
    """Reject a new operation that exceeds the limits of the reference directory (ImproperOperation, UnsupportedKey)."""
    if isinstance(operation, LegacyCreate):
        raise _improper("create", "the legacy form is no longer accepted for new operations")
    size = len(signed_bytes(operation))
    if size > MAX_BYTES:
        raise _improper(size, f"larger than {MAX_BYTES} bytes")
    if isinstance(operation, Tombstone):
        return
    if not 0 < len(operation.rotation_keys) <= MAX_ENTRIES:
        raise _improper(len(operation.rotation_keys), f"1 to {MAX_ENTRIES} rotation keys are allowed")
    for text in operation.rotation_keys:
        try:
            parse_did_key(text)
        except Malformed as error:
            raise OperationRefused(PlcRefusal.UNSUPPORTED_KEY, text, error.why) from error
    if len(set(operation.rotation_keys)) != len(operation.rotation_keys):
        raise _improper(operation.rotation_keys, "a rotation key appears twice")
    _check_names(operation.also_known_as)
    _check_methods(operation.verification_methods)
    _check_services(operation.services)


def _check_names(names: tuple[str, ...]) -> None:
    if len(names) > MAX_ENTRIES or len(set(names)) != len(names):
        raise _improper(names, f"alsoKnownAs has more than {MAX_ENTRIES} entries, or duplicates")
    for name in names:
        if len(name) > _MAX_NAME:
            raise _improper(name, f"an entry of alsoKnownAs is longer than {_MAX_NAME} characters")


def _check_methods(methods: Mapping[str, str]) -> None:
    if len(methods) > MAX_ENTRIES:
        raise _improper(len(methods), f"more than {MAX_ENTRIES} verification methods")
    for fragment, text in methods.items():
        if not fragment or len(fragment) > _MAX_FRAGMENT or len(text) > _MAX_KEY:
            raise _improper(text, "a verification method is too long, or has no name")
        # Any curve is allowed, because other networks store keys in the directory that this one does not use.
        if not text.startswith("did:key:z"):
            raise OperationRefused(PlcRefusal.UNSUPPORTED_KEY, text, "not a did:key")
        try:
            base58.decode(text.removeprefix("did:key:z"))
        except Malformed as error:
            raise OperationRefused(PlcRefusal.UNSUPPORTED_KEY, text, error.why) from error


def _check_services(services: Mapping[str, DidService]) -> None:
    if len(services) > MAX_ENTRIES:
        raise _improper(len(services), f"more than {MAX_ENTRIES} services")
    for fragment, service in services.items():
        is_wrong = (
            not fragment
            or len(fragment) > _MAX_FRAGMENT
            or len(service.type) > _MAX_TYPE
            or len(service.endpoint) > _MAX_ENDPOINT
        )
        if is_wrong:
            raise _improper(fragment, "a service is too long, or has no name")
