"""Plan of an import: the file is verified as a whole, then compared with the current repository. Pure.

Everything is verified except the signature, because the key may have been rotated since, and the result is signed
again. Only blocks linked from the file's commit are imported; others may be old, or belong to somebody else. A file
that contains only the changes since a rev is completed with this account's own blocks.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.build import build
from at_protocol.repo.change import RepoChange, parse_path
from at_protocol.repo.commit import Commit, parse_commit
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node
from at_protocol.repo.stored_record import read_stored
from at_protocol.syntax.did import Did

# Returns the bytes of a block whose hash has been verified, or None.
Find = Callable[[Cid], bytes | None]


@dataclass(frozen=True, slots=True)
class RepositorySnapshot:
    """The current repository: the nodes of its tree, and every path with the CID of its record."""

    data: Cid
    nodes: Mapping[Cid, bytes]
    entries: Mapping[str, Cid]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The changes of an import. ``blobs`` maps each changed path to the blobs that its record refers to.

    ``staged`` maps the blocks that this server does not have yet to their reference counts; ``more_uses`` counts the
    new references to the blocks that it has. ``flaws`` names the records that are kept although a new write of them
    would be refused. ``refused`` maps invalid ``collection/rkey`` paths, which are left out, to the reason; ``data`` is
    then the root of the tree without them, and ``rebuilt`` holds its nodes.
    """

    commit: Commit
    data: Cid
    rebuilt: Mapping[Cid, bytes]
    flaws: Mapping[str, str]
    refused: Mapping[str, str]
    removed_nodes: Sequence[Cid]
    changes: Sequence[RepoChange]
    blobs: Mapping[str, tuple[BlobRef, ...]]
    staged: Mapping[Cid, int]
    more_uses: Mapping[Cid, int]


def plan_import(did: Did, roots: Sequence[Cid], find: Find, current: RepositorySnapshot) -> ImportPlan:
    """Compare the file with the current repository. Raises Malformed with the first error."""
    commit = _commit_of(did, roots, find)
    nodes: dict[Cid, None] = {}
    changes: list[RepoChange] = []
    blobs: dict[str, tuple[BlobRef, ...]] = {}
    flaws: dict[str, str] = {}
    refused: dict[str, str] = {}
    entries: list[tuple[str, Cid]] = []
    # A file may list one record at a million paths, so each record is read only once.
    read: dict[Cid, tuple[str | None, tuple[BlobRef, ...]]] = {}
    remaining = dict(current.entries)
    try:
        for item in Tree(commit.data, lambda cid: find(cid) or current.nodes.get(cid)).walk():
            if isinstance(item, Node):
                nodes[item.cid] = None
                continue
            path, cid = item
            before = remaining.pop(path, None)
            if before != cid:
                try:
                    parse_path(path)
                except Malformed as wrong:
                    refused[path] = wrong.why
                    continue
                if cid not in read:
                    read[cid] = _read(path, cid, find)
                flaw, references = read[cid]
                if flaw is not None:
                    flaws[path] = flaw
                if references:
                    blobs[path] = references
                changes.append(RepoChange(path, before, cid))
            entries.append((path, cid))
    except MissingBlock as missing:
        raise Malformed("repository", str(missing.cid), "a node of the tree is not in the file") from None
    changes += [RepoChange(path, before, None) for path, before in remaining.items()]
    data, rebuilt = commit.data, dict[Cid, bytes]()
    if refused:
        built = build(entries)
        data, rebuilt, nodes = built.root, built.blocks, dict.fromkeys(built.blocks)
    new_nodes = [cid for cid in nodes if cid not in current.nodes]
    stored_cids = set(current.entries.values()) | current.nodes.keys()
    uses = Counter(change.after for change in changes if change.after is not None)
    uses.update(new_nodes)
    return ImportPlan(
        commit=commit,
        data=data,
        rebuilt=rebuilt,
        flaws=flaws,
        refused=refused,
        removed_nodes=[cid for cid in current.nodes if cid not in nodes],
        changes=changes,
        blobs=blobs,
        staged={cid: count for cid, count in uses.items() if cid not in stored_cids},
        more_uses={cid: count for cid, count in uses.items() if cid in stored_cids},
    )


def _read(path: str, cid: Cid, find: Find) -> tuple[str | None, tuple[BlobRef, ...]]:
    """Return a record's flaw, or None, and its blob references."""
    block = find(cid)
    if block is None:
        raise Malformed("repository", path, f"the record {path} is not in the file")
    record = read_stored(cid, block)
    return record.flaw, record.blobs()


def _commit_of(did: Did, roots: Sequence[Cid], find: Find) -> Commit:
    if len(roots) != 1:
        raise Malformed("repository", len(roots), "a repository file must name exactly one root, its commit")
    block = find(roots[0])
    if block is None:
        raise Malformed("repository", str(roots[0]), "the commit that the header names is not in the file")
    commit = parse_commit(block, roots[0])
    if commit.did != did:
        raise Malformed("repository", commit.did, f"it is the repository of {commit.did}, not of {did}")
    return commit
