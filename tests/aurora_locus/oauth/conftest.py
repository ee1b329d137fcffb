"""A person, an app, and clients whose metadata is served without a network."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from at_protocol.crypto.p256 import P256PrivateKey
from aurora_locus.oauth.clients import Clients
from groundwork.errors import RemoteFailed
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import App, document, fresh_key

CONFIDENTIAL = "https://events.example.com/client-metadata.json"


class Documents:
    """The responses of client URLs; the deployment's client fetcher is replaced by this."""

    def __init__(self, deployment: Deployment) -> None:
        self.found: dict[str, Any] = {}
        self.asked: list[str] = []
        clients = Clients(self.fetch, deployment.clock, is_development=True)
        # The object is frozen, so a normal assignment would fail.
        object.__setattr__(deployment.pds.authorization, "clients", clients)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.found:
            raise RemoteFailed("There’s nothing at this address.")
        return msgspec.json.encode(self.found[url])


@pytest.fixture
def documents(deployment: Deployment) -> Documents:
    return Documents(deployment)


Confidential = Callable[..., App]


@pytest.fixture
def confidential(deployment: Deployment, documents: Documents) -> Confidential:
    """Makes an app that authenticates with a key of its own."""

    def make(key: P256PrivateKey | None = None, **changes: Any) -> App:
        key = key or fresh_key()
        documents.found[CONFIDENTIAL] = document(CONFIDENTIAL, {"first": key}, **changes)
        return App(deployment, client_id=CONFIDENTIAL, assertion_key=key)

    return make


Reopen = Callable[[], Awaitable[Deployment]]
