"""An authority that publishes Lexicons: a did:web with a signed repository, and a name server that points to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from at_network.txt_records import Dns
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.lexicon.publication import COLLECTION, authority_name
from at_protocol.repo.build import build
from at_protocol.repo.commit import sign_commit
from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from groundwork.http.server import serving
from tests.at_network.peers import NameServer, name_server
from tests.did_documents import account_document
from tests.record_proofs import write_record_proof


def lexicon(nsid: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A published Lexicon of a record type with these properties."""
    record = {"type": "object", "properties": properties, **more}
    main = {"type": "record", "key": "any", "record": record}
    return {"$type": str(COLLECTION), "lexicon": 1, "id": nsid, "defs": {"main": main}}


@dataclass
class Publisher:
    """``records``: by NSID. ``signing_key``: signs the responses. ``key``: the key in the DID document."""

    names: NameServer
    key: K256PrivateKey = field(default_factory=lambda: K256PrivateKey.from_random(b"k" * 64))
    signing_key: K256PrivateKey | None = None
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    url: str = ""
    is_down: bool = False
    asked: int = 0

    @property
    def did(self) -> Did:
        return Did(f"did:web:localhost%3A{self.url.rsplit(':', 1)[1]}")

    @property
    def dns(self) -> Dns:
        return Dns(("127.0.0.1", self.names.port), timeout_seconds=30)

    def publish(self, document: dict[str, Any]) -> None:
        self.records[document["id"]] = document
        name = authority_name(Nsid(document["id"]))
        assert name is not None
        self.names.records = {**self.names.records, name: [f'"did={self.did}"']}

    async def _document(self, _request: Request) -> Response:
        return JSONResponse(account_document(self.did, handle=None, key=self.key.public, pds=self.url))

    async def _record(self, request: Request) -> Response:
        self.asked += 1
        if self.is_down:
            return JSONResponse({"error": "InternalServerError", "message": "down"}, 500)
        blocks = {Cid.for_cbor(block): block for block in map(cbor.encode, self.records.values())}
        paths = {f"{COLLECTION}/{nsid}": Cid.for_cbor(cbor.encode(one)) for nsid, one in self.records.items()}
        tree = build(sorted(paths.items()))
        rev = tid.from_microseconds(1_772_366_400_000_000, 1)
        commit = sign_commit(self.signing_key or self.key, did=self.did, rev=rev, data=tree.root)
        path = f"{request.query_params['collection']}/{request.query_params['rkey']}"
        proof = write_record_proof(commit, path, {**blocks, **tree.blocks}.get)
        return Response(proof, media_type="application/vnd.ipld.car")


@asynccontextmanager
async def open_publisher() -> AsyncIterator[Publisher]:
    """Serve for the duration of the block."""
    async with name_server({}) as names:
        publisher = Publisher(names)
        app = Starlette(
            routes=[
                Route("/.well-known/did.json", publisher._document),
                Route("/xrpc/com.atproto.sync.getRecord", publisher._record),
            ]
        )
        async with serving(app) as served:
            publisher.url = served.url
            yield publisher
