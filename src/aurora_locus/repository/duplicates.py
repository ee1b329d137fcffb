"""Likes, reposts, follows and blocks: a new one replaces earlier ones with the same subject, in one commit.

Apps create a second one when two devices or two taps race, and later remove only the one that they know. The reference
server replaces them in the same way. Only the newest records of a collection are compared, because nothing indexes
their subjects, and a race leaves its duplicates close together.
"""

from collections.abc import Sequence

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.sync.events import MAX_OPERATIONS
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from aurora_locus.repository import reader
from aurora_locus.repository.model import PreparedWrite, WriteAction
from groundwork.database.transaction import Database

COMPARED_RECORDS = 1000

_OF_RECORDS = frozenset({Nsid("app.bsky.feed.like"), Nsid("app.bsky.feed.repost")})
_OF_ACCOUNTS = frozenset({Nsid("app.bsky.graph.follow"), Nsid("app.bsky.graph.block")})


def find_subject(collection: Nsid, record: Value) -> str | None:
    """Return the AT-URI or DID that only one record of the collection may be about; None for any other record."""
    subject = record.get("subject") if isinstance(record, dict) else None
    if collection in _OF_RECORDS and isinstance(subject, dict):
        subject = subject.get("uri")
    elif collection not in _OF_ACCOUNTS:
        return None
    return subject if isinstance(subject, str) else None


async def with_deletions(db: Database, did: Did, writes: Sequence[PreparedWrite]) -> list[PreparedWrite]:
    """Put before each creation that replaces duplicates the deletions of these. The caller holds the repository's
    lock.
    """
    made: list[PreparedWrite] = []
    for write in writes:
        if write.only_about is not None:
            keys = await reader.keys_about(db, did, write.collection, write.only_about.encode(), COMPARED_RECORDS)
            made += [
                PreparedWrite(WriteAction.DELETE, write.collection, rkey)
                for rkey, block in keys
                if rkey != write.rkey and find_subject(write.collection, cbor.decode(block)) == write.only_about
            ][: MAX_OPERATIONS - len(writes) - len(made)]
        made.append(write)
    return made
