"""Encode and decode a typical post and compute its CID, compared with libipld, which checks less and does not
distinguish links from bytes.
"""

from collections.abc import Iterator

import libipld

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from tests.bench.captured import POST
from tests.bench.figure import Figure, Peer, check
from tests.bench.timing import rate, rates


def measure() -> Iterator[Figure]:
    block = cbor.encode(POST)
    check(cbor.decode(block) == POST, "the post does not survive encoding and decoding")
    check(libipld.encode_dag_cbor(POST) == block, "libipld encodes the post differently")
    size = f"a post of {len(block)} bytes"

    ours, theirs = rates(lambda: cbor.encode(POST), lambda: libipld.encode_dag_cbor(POST))
    yield Figure(f"encode {size}", ours, "/s", peer=Peer("libipld", theirs))

    ours, theirs = rates(lambda: cbor.decode(block), lambda: libipld.decode_dag_cbor(block))
    yield Figure(f"decode {size}", ours, "/s", peer=Peer("libipld", theirs))

    text = json_form.encode(POST)
    check(json_form.decode(text) == POST, "the post does not survive JSON")
    yield Figure("decode the same from JSON, strictly", rate(lambda: json_form.decode(text)), "/s")

    cid = Cid.for_cbor(block)
    check(Cid.parse(str(cid)) == cid and cid.names(block), "a CID does not survive its text form")
    yield Figure("compute its CID", rate(lambda: Cid.for_cbor(block)), "/s")
