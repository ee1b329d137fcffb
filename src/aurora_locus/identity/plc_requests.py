"""Changes of a did:plc identity at its owner's request: recommended credentials, signing, submission checks. Pure.

A signed operation may move the account away from this server, as in a migration; the owner confirms the request with an
e-mailed token. An operation that is *submitted* through this server must keep the account hosted on this server: it
must have our rotation key, the account's key, this server and the account's handle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from at_protocol.crypto.did_key import PrivateKey, PublicKey, format_did_key
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed, Misuse
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE, PDS_TYPE
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.handle import Handle
from groundwork.errors import InvalidInput, Refused

_CHANGEABLE = ("rotationKeys", "alsoKnownAs", "verificationMethods", "services")


@dataclass(frozen=True, slots=True)
class Hosting:
    """The identity fields that this server requires of the accounts that it hosts."""

    rotation_key: PublicKey
    signing_key: PublicKey
    handle: Handle
    pds: str
    recovery_keys: Sequence[str] = ()


def recommended(hosting: Hosting, *, is_plc: bool) -> dict[str, Any]:
    """Return the fields of ``getRecommendedDidCredentials``. Only did:plc has rotation keys."""
    credentials: dict[str, Any] = {
        "alsoKnownAs": [f"at://{hosting.handle}"],
        "verificationMethods": {ATPROTO_KEY: format_did_key(hosting.signing_key)},
        "services": {PDS_SERVICE: {"type": PDS_TYPE, "endpoint": hosting.pds}},
    }
    if not is_plc:
        return credentials
    # The owner's key ranks above ours, so that owners can always undo what we do. The operator's key is between the
    # two.
    keys = dict.fromkeys((*hosting.recovery_keys, format_did_key(hosting.rotation_key)))
    return {"rotationKeys": [*keys], **credentials}


def signed_change(newest: PlcOperation, prev: Cid, changes: Mapping[str, Any], key: PrivateKey) -> PlcOperation:
    """Return the operation that changes these fields and keeps the others, signed with the server's rotation key.

    Raises InvalidInput for fields that the directory would reject, Refused if our key cannot sign for this identity.
    """
    if format_did_key(key.public) not in newest.rotation_keys:
        raise Refused("This server's rotation key isn't among the identity's keys, so it can't sign for it.")
    document: dict[str, Any] = {**plc_operation.to_json(newest), "prev": str(prev), "sig": ""}
    document |= {name: changes[name] for name in _CHANGEABLE if name in changes}
    try:
        changed = plc_operation.parse_operation(document)
        if not isinstance(changed, PlcOperation):
            raise Misuse("the document that was made is a regular operation")
        signed = plc_operation.sign(replace(changed, sig=None), key)
        plc_operation.check_limits(signed)
    except Malformed as error:
        raise InvalidInput("", f"The directory would not accept this operation: {error.why}.") from None
    return signed


def parse_submitted(document: object) -> PlcOperation:
    """Parse the submitted operation. Raises InvalidInput unless it is a well-formed regular one."""
    try:
        operation = plc_operation.parse_operation(document)
        plc_operation.check_limits(operation)
    except Malformed as error:
        raise InvalidInput("operation", f"This is not a did:plc operation: {error.why}.") from None
    if not isinstance(operation, PlcOperation):
        raise Refused("Only a plc_operation can be submitted here. Tombstones are not accepted.")
    return operation


def require_hosting_kept(operation: PlcOperation, hosting: Hosting) -> None:
    """Raise Refused if the operation would move the account away from this server or break it. The message names every
    reason.
    """
    problems = []
    service = operation.services.get(PDS_SERVICE)
    if format_did_key(hosting.rotation_key) not in operation.rotation_keys:
        problems.append("this server's rotation key is not among rotationKeys")
    if service is None or service.type != PDS_TYPE:
        problems.append(f"there is no service {PDS_SERVICE} of type {PDS_TYPE}")
    elif service.endpoint.rstrip("/") != hosting.pds:
        problems.append(f"its server is {service.endpoint}, not {hosting.pds}")
    if operation.verification_methods.get(ATPROTO_KEY) != format_did_key(hosting.signing_key):
        problems.append("the signing key is not that of this account")
    if operation.also_known_as[:1] != (f"at://{hosting.handle}",):
        problems.append(f"alsoKnownAs does not begin with at://{hosting.handle}")
    if problems:
        raise Refused(f"The operation would break the account here: {'; '.join(problems)}.")
