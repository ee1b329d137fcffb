"""The change of one path, and the syntax of paths.

A change states the values before and after: a creation has no ``before``, a deletion no ``after``. So undoing a change is
swapping the two, and a change whose ``before`` does not match is refused.
"""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.node import MAX_KEY_BYTES
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key


@dataclass(frozen=True, slots=True)
class RepoChange:
    """One path before and after; at least one of both is a CID and they differ."""

    path: str
    before: Cid | None
    after: Cid | None

    def undone(self) -> "RepoChange":
        """The inverse change."""
        return RepoChange(self.path, self.after, self.before)


def parse_path(path: str) -> tuple[Nsid, RecordKey]:
    """Split ``collection/rkey``. Raises Malformed unless both parts are valid."""
    collection, slash, rkey = path.partition("/")
    if not slash:
        raise Malformed("record path", path, "a path is a collection, one slash and a record key")
    if len(path) > MAX_KEY_BYTES:
        raise Malformed("record path", path, f"a path has at most {MAX_KEY_BYTES} bytes")
    return parse_nsid(collection), parse_record_key(rkey)
