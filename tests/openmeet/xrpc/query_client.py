"""Calls XRPC queries as apps do. Responses are validated against the Lexicon, errors against the names that it
declares.
"""

import hashlib
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from at_network.service_callers import ServiceCallers
from at_protocol.crypto import k256
from at_protocol.crypto.did_key import format_did_key
from at_protocol.data import json_form
from at_protocol.identity.did_document import DidDocument, build_did_document, parse_did_document
from at_protocol.lexicon.authority import own_name
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import QueryType
from at_protocol.lexicon.validate import validate_output
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import make_service_token
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import SECOND, Clock
from groundwork.errors import NotFound
from openmeet.domain.identities import queries as identities
from openmeet.domain.users.model import Caller
from openmeet.web.xrpc.service import names_of
from tests.openmeet.site_under_test import ORIGIN, Site

CATALOG = Catalog()

# Error names that any query may return, in addition to those in its Lexicon.
GENERAL = {"InvalidRequest", "AuthenticationRequired", "RateLimitExceeded"}


class People:
    """Accounts with their keys, and a verifier of the service tokens that they sign."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys: dict[Did, k256.K256PrivateKey] = {}
        self.asked: list[Did] = []
        self._made = 0

    def account(self, name: str) -> Did:
        """Create an account."""
        did = Did(f"did:web:{name}.example.org")
        self.keys[did] = k256.K256PrivateKey(hashlib.sha256(did.encode()).digest())
        return did

    async def connect(self, tx: Any, who: Caller) -> Did:
        """Create an account and connect it to a user of the site, as if they had signed in with it."""
        self._made += 1
        did = self.account(f"person{self._made}")
        await tx.execute(
            identities.INSERT.partition("returning")[0],
            did=did,
            user_id=who.user_id,
            kind="connected",
            handle="",
            pds_url="https://pds.example.org",
            is_default=1,
            now=tx.now,
        )
        return did

    async def resolve(self, did: Did) -> DidDocument:
        self.asked.append(did)
        if did not in self.keys:
            raise NotFound(f"There is no identity {did}.", name="DidNotFound")
        keys = {"atproto": format_did_key(self.keys[did].public)}
        document = build_did_document(did, also_known_as=(), verification_methods=keys, services={})
        return parse_did_document(document, did)

    def callers(self, *, bare: bool = True) -> ServiceCallers:
        names = names_of(ORIGIN, bare=bare)
        return ServiceCallers(names, self.resolve, self.resolve, self.resolve, InProcessCache(self.clock), self.clock)

    def token(self, did: Did, name: str, **changes: Any) -> str:
        """A service token for one query. ``changes`` are arguments of ``make_service_token``."""
        self._made += 1
        said = {
            "issuer": did,
            "audience": names_of(ORIGIN, bare=False)[0],
            "method": Nsid(own_name(name)),
            "now_seconds": self.clock.now() // SECOND,
            "token_id": str(self._made),
        }
        return make_service_token(self.keys[did], **{**said, **changes})


async def response_of(
    client: httpx.AsyncClient, name: str, /, *, token: str = "", nsid: str = "", **parameters: Any
) -> httpx.Response:
    """The response of a query, validated against its Lexicon."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = await client.get(f"/xrpc/{nsid or own_name(name)}", params=parameters, headers=headers)
    method = CATALOG.find_method(own_name(name))
    assert isinstance(method, QueryType)
    if answer.status_code == 200:
        validate_output(CATALOG, own_name(name), json_form.decode(answer.content))
    elif answer.status_code == 400:
        assert answer.json()["error"] in GENERAL | {error.name for error in method.errors or ()}
    return answer


async def body_of(client: httpx.AsyncClient, name: str, /, *, token: str = "", **parameters: Any) -> dict[str, Any]:
    """The body of a successful response."""
    answer = await response_of(client, name, token=token, **parameters)
    assert answer.status_code == 200, answer.text
    return dict(msgspec.json.decode(answer.content))


async def error_of(client: httpx.AsyncClient, name: str, /, *, token: str = "", **parameters: Any) -> tuple[int, str]:
    """HTTP status and name of an error response."""
    answer = await response_of(client, name, token=token, **parameters)
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["error"]


async def all_items(client: httpx.AsyncClient, name: str, items: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """All items of a list, read page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await body_of(client, name, **parameters, **cursor)
        found += answer[items]
        assert len(found) < 500, "the list has no end"
        if "cursor" not in answer:
            return found
        cursor = {"cursor": answer["cursor"]}


@asynccontextmanager
async def app(site: Site):
    """An anonymous client from another origin, without cookies."""
    async with site.browser() as client:
        client.headers["origin"] = "https://another.example"
        yield client
