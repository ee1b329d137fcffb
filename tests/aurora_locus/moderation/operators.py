"""The audit log and the moderation service in tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from at_protocol.crypto import jwt
from at_protocol.crypto.did_key import PrivateKey, format_multikey
from at_protocol.crypto.k256 import K256PrivateKey
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.audit_log import AuditEntry
from groundwork.clock import SECOND
from groundwork.http.server import serving
from tests.aurora_locus.deployment import Deployment, Person

ADMIN = "com.atproto.admin"


async def entries(deployment: Deployment, **filters: Any) -> list[AuditEntry]:
    """The entries of the audit log, oldest first."""
    async with deployment.db.reader() as reader:
        return (await audit_log.page(reader, limit=500, **filters))[::-1]


async def who(deployment: Deployment) -> list[str]:
    return [entry.actor for entry in await entries(deployment)]


async def acts(deployment: Deployment, **filters: Any) -> list[str]:
    return [entry.action.value for entry in await entries(deployment, **filters)]


async def whole_log(deployment: Deployment) -> str:
    """The whole text of the audit log."""
    async with deployment.db.reader() as reader:
        return "\n".join(str(tuple(row)) for row in await reader.fetch("select * from audit_log order by id"))


async def key_of(deployment: Deployment, person: Person) -> PrivateKey:
    return await deployment.pds.registry.repositories.keys.signing_key(person.did)


def service_token(deployment: Deployment, issuer: str, key: PrivateKey, method: str, **changes: Any) -> str:
    """A token signed like one of a moderation service."""
    now = deployment.clock.now() // SECOND
    claims = {
        "iss": issuer,
        "aud": deployment.settings.did,
        "lxm": method,
        "iat": now,
        "exp": now + 60,
        "jti": f"{method} {len(changes)}",
        **changes,
    }
    return jwt.sign(claims, key)


@dataclass(frozen=True)
class Moderating:
    """A moderation service of a host: its URL and its only key."""

    did: str
    url: str
    key: K256PrivateKey


@asynccontextmanager
async def moderation_service() -> AsyncIterator[Moderating]:
    """A did:web on loopback that signs with the same key as itself and as a labeler."""
    key = K256PrivateKey.from_bytes(b"\x05" * 32)
    about: dict[str, str] = {}

    async def document(_request: Request) -> JSONResponse:
        did = about["did"]
        methods = [
            {
                "id": f"{did}#{name}",
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": format_multikey(key.public),
            }
            for name in ("atproto", "atproto_label")
        ]
        return JSONResponse({"id": did, "verificationMethod": methods})

    app = Starlette(routes=[Route("/.well-known/did.json", document)])
    async with serving(app) as served:
        about["did"] = f"did:web:localhost%3A{served.url.rpartition(':')[2]}"
        yield Moderating(about["did"], served.url, key)
