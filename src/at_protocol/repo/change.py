"""The change of one path, and the syntax of paths.

A change has the values before and after: a creation has no ``before``, a deletion no ``after``. Swapping the two undoes
a change. A change whose ``before`` does not match the tree is rejected.
"""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.node import MAX_KEY_BYTES
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key


@dataclass(frozen=True, slots=True)
class RepoChange:
    """One path with its values before and after the change. They differ, so at least one of them is a CID."""

    path: str
    before: Cid | None
    after: Cid | None

    def inverse(self) -> "RepoChange":
        """Return the inverse change."""
        return RepoChange(self.path, self.after, self.before)


def parse_path(path: str) -> tuple[Nsid, RecordKey]:
    """Split ``collection/rkey``. Raises Malformed unless both parts are valid."""
    collection, slash, rkey = path.partition("/")
    if not slash:
        raise Malformed("record path", path, "a path is a collection, one slash and a record key")
    if len(path) > MAX_KEY_BYTES:
        raise Malformed("record path", path, f"a path has at most {MAX_KEY_BYTES} bytes")
    return parse_nsid(collection), parse_record_key(rkey)
