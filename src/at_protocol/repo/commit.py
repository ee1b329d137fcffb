"""The commit: the signed block at the top of a repository.

Source: repository specification, "Commit Objects". Version 3 is written. Version 2 (no ``rev``, or ``prev`` set) can be
read, for old files. The signature is ECDSA over the SHA-256 of the DAG-CBOR of the map without ``sig``, 64 bytes,
low-S. The commit does not name the signing key, which is the ``#atproto`` key of the account's DID document.
"""

from dataclasses import dataclass

from at_protocol.crypto.did_key import PrivateKey, PublicKey
from at_protocol.data import cbor
from at_protocol.data.cid import CODEC_CBOR, Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.tid import Tid, parse_tid

VERSION = 3
# The six fields take about 250 bytes with the longest usual DID; `#sync` allows 10,000 for the whole CAR.
MAX_COMMIT_BYTES = 10_000

_FIELDS = frozenset({"did", "version", "data", "rev", "prev", "sig"})


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, parsed or newly created. ``block`` holds its bytes and ``cid`` their CID. ``rev`` is None only in
    version 2.
    """

    did: Did
    version: int
    data: Cid
    rev: Tid | None
    prev: Cid | None
    signature: bytes
    unsigned: bytes
    block: bytes
    cid: Cid


def sign_commit(key: PrivateKey, *, did: Did, rev: Tid, data: Cid) -> Commit:
    """Create and sign a version 3 commit over a tree root.

    ``rev`` must be greater than that of the previous commit (the caller's clock ensures this). ``prev`` is written as
    null, as version 3 requires.
    """
    fields: dict[str, Value] = {"did": did, "rev": rev, "data": data, "prev": None, "version": VERSION}
    unsigned = cbor.encode(fields)
    signature = key.sign(unsigned)
    block = cbor.encode({**fields, "sig": signature})
    return Commit(did, VERSION, data, rev, None, signature, unsigned, block, Cid.for_cbor(block))


def parse_commit(block: bytes, cid: Cid | None = None) -> Commit:
    """Parse a commit block without verifying its signature.

    Pass ``cid`` if it was already verified against the block. Raises Malformed.
    """
    if len(block) > MAX_COMMIT_BYTES:
        raise _bad(len(block), f"a commit has at most {MAX_COMMIT_BYTES} bytes")
    fields = cbor.decode(block)
    if not isinstance(fields, dict):
        raise _bad(fields, "a commit is a map")
    version = fields.get("version")
    if type(version) is not int or not 2 <= version <= VERSION:
        raise _bad(version, "the version is neither 3 nor 2")
    if unknown := fields.keys() - _FIELDS:
        raise _bad(min(unknown), "this field is not allowed in a commit")
    did, data, prev, signature = (fields.get(name) for name in ("did", "data", "prev", "sig"))
    if not isinstance(did, str):
        raise _bad(did, "did is missing or not text")
    if not isinstance(data, Cid) or data.codec != CODEC_CBOR:
        raise _bad(data, "data is missing or not a link to a tree")
    if not (prev is None or isinstance(prev, Cid)) or (version == VERSION and "prev" not in fields):
        raise _bad(prev, "prev must be present and null or a link")
    if not isinstance(signature, bytes):
        raise _bad(signature, "sig is missing or not bytes")
    unsigned = cbor.encode({name: value for name, value in fields.items() if name != "sig"})
    return Commit(
        did=parse_did(did),
        version=version,
        data=data,
        rev=_rev(fields, version),
        prev=prev,
        signature=signature,
        unsigned=unsigned,
        block=block,
        cid=cid or Cid.for_cbor(block),
    )


def _rev(fields: dict[str, Value], version: int) -> Tid | None:
    rev = fields.get("rev")
    if rev is None and version != VERSION:
        return None
    if not isinstance(rev, str):
        raise _bad(rev, "rev is missing or not text")
    return parse_tid(rev)


def is_signed_by(commit: Commit, key: PublicKey) -> bool:
    """Whether the commit's signature was made with this key."""
    return len(commit.signature) == 64 and key.verify(commit.unsigned, commit.signature)


def verify_commit(commit: Commit, *, did: Did, key: PublicKey) -> None:
    """Verify that a commit belongs to this account and is signed with its key. Raises Malformed saying which one is
    wrong.
    """
    if commit.did != did:
        raise _bad(commit.did, f"the commit belongs to another account, not {did}")
    if not is_signed_by(commit, key):
        raise _bad(str(commit.cid), f"the signature was not made with the key of {did}")


def _bad(value: object, why: str) -> Malformed:
    return Malformed("commit", value, why)
