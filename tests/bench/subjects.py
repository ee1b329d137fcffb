"""The subjects of the benchmark, in the order in which they are printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """A module of this package with ``measure() -> Iterator[Figure]``, run in a separate process.

    ``has_pure``: its speed depends on CBOR, so it runs a second time without the compiled codec.
    """

    name: str
    what: str
    has_pure: bool


SUBJECTS = (
    Subject("cbor", "DAG-CBOR and CIDs", has_pure=True),
    Subject("signatures", "Keys on secp256k1", has_pure=False),
    Subject("tree", "Merkle search tree of 100,000 keys", has_pure=True),
    Subject("car", "Repositories as files", has_pure=True),
    Subject("lexicon", "Validation against Lexicons", has_pure=False),
    Subject("frames", "Relay frames checked for relevance, decoded and verified", has_pure=True),
    Subject("backlog", "A backlog of records written to a PDS", has_pure=False),
    Subject("relay", "A relay followed through a socket", has_pure=False),
    Subject("database", "Durable rows on SQLite", has_pure=False),
    Subject("queue", "The embedded broker", has_pure=False),
    Subject("ingest", "Calendar records applied to the database", has_pure=True),
    Subject("repositories", "Repositories read from another PDS", has_pure=False),
    Subject("answers", "Answers to one event with limited places", has_pure=False),
    Subject("event_page", "The page of an event with very many answers", has_pure=False),
    Subject("pages", "Pages that many people open, from one web process", has_pure=False),
    Subject("first_load", "The first load of a page, in a browser", has_pure=False),
    Subject("overload", "The front page under attack", has_pure=False),
    Subject("series", "Event series", has_pure=False),
    Subject("calendar", "A calendar and searches among many events", has_pure=False),
    Subject("chat", "Chats", has_pure=False),
    Subject("chat_size", "Chats of a large community", has_pure=False),
    Subject("writes", "Writing to the PDS over HTTP", has_pure=True),
    Subject("firehose", "The PDS's firehose", has_pure=False),
    Subject("export", "A large repository sent by the PDS", has_pure=False),
    Subject("idle", "Memory of the PDS", has_pure=False),
    Subject("click", "The product's main path, on openmeet up", has_pure=False),
)
