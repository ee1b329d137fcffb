"""Export of a whole repository as a streamed CAR.

Source: repository specification, "CAR File Serialization", streamable order: the commit, then the tree depth-first in
pre-order with each record right after its entry. Memory use does not grow with the repository.
"""

from collections import deque
from collections.abc import Iterator

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import Commit
from at_protocol.repo.mst import MissingBlock, Source, Tree
from at_protocol.repo.node import Node

# Small sections are sent together, because a socket write costs more than a copy.
CHUNK_BYTES = 65_536
# Recent records are remembered so that a record under several paths is not written again. If one is forgotten, its
# block is repeated, which every reader accepts. Remembering all of them would use memory that grows with the
# repository.
_REMEMBERED = 1024


def export(commit: Commit, nodes: Source, records: Source) -> Iterator[bytes]:
    """Yield the chunks of the CAR of a repository.

    ``nodes`` and ``records`` return blocks by CID (they can be the same function). Raises MissingBlock, which ends the
    export.
    """
    header, first = car.write([commit.cid], [(commit.cid, commit.block)])
    pending = [header, first]
    size = len(header) + len(first)
    recent_cids = _RecentCids()
    for item in Tree(commit.data, nodes).walk():
        if isinstance(item, Node):
            section = car.section(item.cid, item.block)
        else:
            cid = item[1]
            if recent_cids.check_and_remember(cid):
                continue
            record = records(cid)
            if record is None:
                raise MissingBlock(cid)
            section = car.section(cid, record)
        pending.append(section)
        size += len(section)
        if size >= CHUNK_BYTES:
            yield b"".join(pending)
            pending.clear()
            size = 0
    if pending:
        yield b"".join(pending)


class _RecentCids:
    """Remembers the last thousand CIDs."""

    __slots__ = ("_order", "_seen")

    def __init__(self) -> None:
        self._order: deque[Cid] = deque()
        self._seen: set[Cid] = set()

    def check_and_remember(self, cid: Cid) -> bool:
        """Return whether the CID was seen recently, and remember it."""
        if cid in self._seen:
            return True
        self._seen.add(cid)
        self._order.append(cid)
        if len(self._order) > _REMEMBERED:
            self._seen.discard(self._order.popleft())
        return False
