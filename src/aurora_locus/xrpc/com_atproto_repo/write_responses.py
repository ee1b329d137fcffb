"""Input and output that the four writing methods share."""

from collections.abc import Mapping
from typing import Any

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.repository.model import DurableCommit, NoSwapRecord, PreparedWrite
from aurora_locus.xrpc.target import parse_cid


def optional_cid(body: Mapping[str, Any], name: str) -> Cid | None:
    """Parse an optional CID field of the input. None if it is absent."""
    text = body.get(name)
    return None if text is None else parse_cid(text)


def swap_record(body: Mapping[str, Any]) -> Cid | NoSwapRecord | None:
    """Parse ``swapRecord``: a CID, null (the record must not exist), or absent (no condition)."""
    if "swapRecord" not in body:
        return NoSwapRecord.ANYTHING
    return optional_cid(body, "swapRecord")


def commit_meta(committed: DurableCommit | None) -> dict[str, Any]:
    """Return the ``commit`` field of a response; nothing if there was no commit."""
    if committed is None:
        return {}
    return {"commit": {"cid": str(committed.commit), "rev": committed.rev}}


def result(did: Did, write: PreparedWrite) -> dict[str, Any]:
    """Return the fields about a written record: ``uri``, ``cid`` and ``validationStatus``."""
    view: dict[str, Any] = {"uri": f"at://{did}/{write.path}", "cid": str(write.cid)}
    if write.validation is not None:
        view["validationStatus"] = write.validation
    return view


def write_response(did: Did, write: PreparedWrite, committed: DurableCommit | None) -> dict[str, Any]:
    """Return the response of createRecord and putRecord."""
    return {**result(did, write), **commit_meta(committed)}
