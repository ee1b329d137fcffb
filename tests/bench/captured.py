"""Real records and frames for measurements: captured from a relay and stored next to the repository. If they are
missing, generated ones.
"""

import json
from functools import cache
from typing import Any

from at_protocol.crypto.did_key import PublicKey, parse_multikey
from tests.external_dependencies import fixture_path
from tests.simulation.relay import read_frames

FRAMES = "data/firehose/relay-2026-07-04-a.frames.bin"
DOCUMENTS = "data/firehose/relay-2026-07-04-a.did-docs.json"

POST: dict[str, Any] = {
    "$type": "app.bsky.feed.post",
    "text": "Board games on Thursday, bring your own — we have tea and two spare sets of dice. " * 2,
    "langs": ["en"],
    "facets": [
        {
            "index": {"byteStart": 0, "byteEnd": 11},
            "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "boardgames"}],
        }
    ],
    "reply": {
        "root": {
            "cid": "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu",
            "uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3mqdau33ozs2n",
        },
        "parent": {
            "cid": "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu",
            "uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3mqdau33ozs2n",
        },
    },
    "createdAt": "2026-07-04T14:38:08.123Z",
}

EVENT: dict[str, Any] = {
    "$type": "community.lexicon.calendar.event",
    "name": "Board games in the library",
    "description": "Bring your own or play one of ours. Newcomers are welcome; rules are explained at seven.",
    "createdAt": "2026-07-01T09:00:00.000Z",
    "startsAt": "2026-07-09T17:00:00.000Z",
    "endsAt": "2026-07-09T20:00:00.000Z",
    "mode": "community.lexicon.calendar.event#inperson",
    "status": "community.lexicon.calendar.event#scheduled",
    "locations": [
        {
            "$type": "community.lexicon.location.address",
            "country": "DE",
            "locality": "Kiel",
            "street": "Rathausstraße 2",
            "name": "City library",
        }
    ],
    "uris": [{"$type": "community.lexicon.calendar.event#uri", "uri": "https://meet.example/e/board-games"}],
}


@cache
def frames() -> list[bytes]:
    """The captured frames; empty if there are none."""
    path = fixture_path(FRAMES)
    return read_frames(path) if path.is_file() else []


@cache
def keys() -> dict[str, PublicKey]:
    """The signing key of each captured author."""
    documents: dict[str, Any] = json.loads(fixture_path(DOCUMENTS).read_text(encoding="utf-8"))
    return {
        did: parse_multikey(method["publicKeyMultibase"])
        for did, document in documents.items()
        for method in document["verificationMethod"]
        if method["id"].endswith("#atproto")
    }
