"""Record types whose Lexicons are resolved: which are kept, and how much memory they take."""

import asyncio
import contextlib
import tracemalloc
from typing import Any

from at_network.lexicon_resolver import ResolvedLexicon
from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from aurora_locus.repository import type_resolver
from tests.simulation.lexicon_publisher import lexicon

NOTE = Nsid("edu.uni.lab.note")
POINT = Nsid("com.example.place.point")


async def test_write_waits_only_briefly_for_a_silent_authority() -> None:
    """A write waits only a moment for an authority that does not respond; later writes use the result, if there is one
    by then.
    """
    asked: list[Nsid] = []

    async def silent(nsid: Nsid) -> ResolvedLexicon:
        asked.append(nsid)
        await asyncio.Event().wait()
        raise AssertionError

    catalog = Catalog()
    found = await type_resolver.TypeResolver(catalog, silent, patience_seconds=0.01).catalogs_for([NOTE])
    assert asked == [NOTE]
    assert found == {NOTE: catalog}


class Types:
    """Publishes record types without a network. ``versions``: by NSID."""

    def __init__(self) -> None:
        self.text = "t"
        self.versions: dict[Nsid, int] = {}
        self.resolver = type_resolver.TypeResolver(Catalog(), self.resolve)

    async def resolve(self, nsid: Nsid) -> ResolvedLexicon:
        schema = json_form.encode(lexicon(nsid, {"text": {"type": "string", "description": self.text}}))
        cid = Cid.for_raw(b"%d" % self.versions.get(nsid, 0))
        return ResolvedLexicon(Did("did:web:lab.uni.edu"), cid, nsid, schema)

    async def learn(self, *names: str) -> list[Catalog]:
        return list((await self.resolver.catalogs_for([Nsid(name) for name in names])).values())


async def test_learned_types_are_limited_in_memory() -> None:
    """The types that were used least recently are dropped, first those of the same author, and learned again when they
    are needed.
    """
    types = Types()
    types.text = "t" * 10_000
    (often,) = await types.learn("com.example.often")
    flood = [f"net.evil.sub{number}.kind" for number in range(100)]
    first = await types.learn(*flood)
    again = await types.learn(*flood[-10:])
    assert again == first[-10:]
    assert len(types.resolver._types) < 25
    assert await types.learn("com.example.often") == [often]
    for number in range(200):
        await types.learn(f"com.author{number}.kind", "com.example.often")
    assert sum(one.size for one in types.resolver._types.values()) <= type_resolver.MAX_BYTES
    assert await types.learn("com.example.often") == [often]
    assert (await types.learn(flood[-1]))[0] is not first[-1]


async def test_estimate_of_a_learned_type_is_not_too_low() -> None:
    """What a type takes with its compiled checks is at most what is counted for it."""
    schemas: dict[str, dict[str, Any]] = {
        "booleans": {f"p{number}": {"type": "boolean"} for number in range(2_000)},
        "references": {f"p{number}": {"type": "ref", "ref": POINT} for number in range(1_500)},
        "texts": {"text": {"type": "string", "enum": [f"é{number}" for number in range(8_000)]}},
    }
    Catalog().names()
    for properties in schemas.values():

        async def resolve(nsid: Nsid, fields: dict[str, Any] = properties) -> ResolvedLexicon:
            document = lexicon(nsid, {} if nsid == POINT else fields)
            return ResolvedLexicon(Did("did:web:lab.uni.edu"), Cid.for_raw(b"a"), nsid, json_form.encode(document))

        resolver = type_resolver.TypeResolver(Catalog(), resolve)
        tracemalloc.start()
        try:
            catalog = (await resolver.catalogs_for([NOTE]))[NOTE]
            with contextlib.suppress(Malformed):
                validate_record(catalog, NOTE, {"$type": NOTE, "p1": {"$type": POINT}})
            taken = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert taken < resolver._types[NOTE].size


async def test_changed_type_is_learned_again() -> None:
    types = Types()
    first = await types.learn(NOTE)
    assert await types.learn(NOTE) == first
    types.versions[NOTE] = 1
    assert await types.learn(NOTE) != first
