"""An identity whose DID document names another server, with both of its keys: an account that can be moved here."""

import secrets
from dataclasses import dataclass, replace
from typing import Any

import httpx

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import make_service_token
from groundwork.clock import SECOND
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person

CREATE = f"{SERVER}.createAccount"
ELSEWHERE = "https://old.example"


@dataclass(frozen=True)
class ExternalIdentity:
    """An identity that is not hosted here. ``rotation`` may change its document, ``signing`` signs its service tokens."""

    deployment: Deployment
    name: str
    rotation: K256PrivateKey
    signing: K256PrivateKey
    did: Did

    @classmethod
    async def create(cls, deployment: Deployment, name: str, pds: str = ELSEWHERE) -> "ExternalIdentity":
        """Create an identity in the deployment's directory."""
        rotation, signing = K256PrivateKey(secrets.token_bytes(32)), K256PrivateKey(secrets.token_bytes(32))
        unsigned = plc_operation.account_operation(
            rotation_keys=(rotation.public,), signing_key=signing.public, handle=Handle(f"{name}.old.example"), pds=pds
        )
        genesis = plc_operation.sign(unsigned, rotation)
        did = plc_operation.did_of(genesis)
        await deployment.pds.registry.directory.submit(did, genesis)
        return cls(deployment, name, rotation, signing, did)

    def token(self, **changes: Any) -> str:
        """A token for this server as signed by their old server or by themselves."""
        claims: dict[str, Any] = {
            "issuer": self.did,
            "audience": self.deployment.settings.did,
            "method": Nsid(CREATE),
            "now_seconds": self.deployment.clock.now() // SECOND,
            "token_id": secrets.token_hex(8),
            **changes,
        }
        return make_service_token(claims.pop("key", self.signing), **claims)

    async def request_account(self, token: str | None = None, **changes: Any) -> httpx.Response:
        """Request an account on this server."""
        request = {
            "handle": f"{self.name}.test",
            "email": f"{self.name}@example.org",
            "password": f"password of {self.name}",
            "did": self.did,
            **changes,
        }
        client = self.deployment.stranger.bearing(self.token() if token is None else token)
        return await client.post(CREATE, {key: value for key, value in request.items() if value is not None})

    async def transfer_in(self, **changes: Any) -> Person:
        answer = await self.request_account(**changes)
        assert answer.status_code == 200, answer.text
        return self.deployment.person(answer)

    async def update_document(self, person: Person) -> None:
        """Make the DID document name this server, as it recommends, signed with the rotation key."""
        wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
        await self.submit_change(
            rotationKeys=wanted["rotationKeys"],
            alsoKnownAs=wanted["alsoKnownAs"],
            verificationMethods=wanted["verificationMethods"],
            services=wanted["services"],
        )

    async def submit_change(self, **fields: Any) -> None:
        """Make any change to the identity, signed with the rotation key."""
        directory = self.deployment.pds.registry.directory
        newest = await directory.last(self.did)
        assert isinstance(newest, PlcOperation)
        changed = plc_operation.parse_operation(
            {**plc_operation.to_json(newest), "prev": str(plc_operation.cid_of(newest)), "sig": "", **fields}
        )
        assert isinstance(changed, PlcOperation)
        await directory.submit(self.did, plc_operation.sign(replace(changed, sig=None), self.rotation))
