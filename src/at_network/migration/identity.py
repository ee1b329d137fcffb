"""The identity of a migrating account: the fields that the new server requires, and how they are changed.

For a did:plc, the old server signs the operation, which needs an e-mailed token, and the new server submits it. The
owner's own keys remain first. The document of a did:web is edited by its owner.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from at_network.migration.servers import MigrationServer, status
from at_network.plc_client import PlcClient
from at_protocol.identity.plc_operation import MAX_OWN_ROTATION_KEYS
from at_protocol.syntax.did import is_plc
from groundwork.errors import Refused, RemoteFailed

_IDENTITY = "com.atproto.identity"


async def names_new_server(new: MigrationServer) -> bool:
    """Whether the identity already names the new server and its key."""
    return (await status(new)).get("validDid") is True


async def recommended(side: MigrationServer) -> dict[str, Any]:
    """Return the DID credentials that this server recommends."""
    return dict(await side.client.query(f"{_IDENTITY}.getRecommendedDidCredentials"))


async def ask_for_token(old: MigrationServer) -> None:
    """Ask the old server to e-mail the token that it requires for signing.

    Raises Refused for a did:web, which has no operations.
    """
    if not is_plc(old.did):
        raise Refused("The document of a did:web is edited where it is hosted, not with a token.")
    await old.client.procedure(f"{_IDENTITY}.requestPlcOperationSignature")


async def change(old: MigrationServer, new: MigrationServer, token: str, directory: PlcClient | None = None) -> None:
    """Have the old server sign, and the new server submit, the credentials that the new server recommends.

    With ``directory``, the owner's own rotation keys are read from there and stay ahead of the new server's keys.
    Raises NotSignedIn for a wrong or expired token, and Refused if either server does not allow the change.
    """
    credentials = await recommended(new)
    if directory is not None:
        credentials["rotationKeys"] = await _with_own_keys(old, directory, credentials)
    signed = await old.client.procedure(f"{_IDENTITY}.signPlcOperation", {**credentials, "token": token.strip()})
    operation = signed.get("operation")
    if not isinstance(operation, Mapping):
        raise RemoteFailed(f"{old.origin} did not return a signed operation.")
    await new.client.procedure(f"{_IDENTITY}.submitPlcOperation", {"operation": operation})


async def _with_own_keys(old: MigrationServer, directory: PlcClient, credentials: Mapping[str, Any]) -> Sequence[str]:
    """Return the owner's keys followed by those of the new server. The old server's keys are dropped."""
    current_keys = (await directory.current(old.did)).get("rotationKeys")
    old_server_keys = (await recommended(old)).get("rotationKeys")
    if not isinstance(current_keys, list) or not isinstance(old_server_keys, list):
        raise RemoteFailed("The server does not state the identity's rotation keys.")
    new_keys = [str(key) for key in credentials.get("rotationKeys", [])]
    owner_keys = [str(key) for key in current_keys if key not in old_server_keys and key not in new_keys]
    return [*owner_keys[: MAX_OWN_ROTATION_KEYS - len(new_keys)], *new_keys]


def did_web_document_entries(new: MigrationServer, credentials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that the owner of a did:web has to publish in their DID document."""
    methods, services = credentials["verificationMethods"], credentials["services"]
    return {
        "alsoKnownAs": credentials["alsoKnownAs"],
        "verificationMethod": [
            {
                "id": f"{new.did}#{name}",
                "type": "Multikey",
                "controller": new.did,
                "publicKeyMultibase": str(key).removeprefix("did:key:"),
            }
            for name, key in methods.items()
        ],
        "service": [
            {"id": f"#{name}", "type": service["type"], "serviceEndpoint": service["endpoint"]}
            for name, service in services.items()
        ],
    }
