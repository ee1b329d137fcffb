"""Shared by the four writing methods: optional CIDs of the input, and output shapes."""

from collections.abc import Mapping
from typing import Any

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.repository.model import Committed, PreparedWrite, Unswapped
from aurora_locus.xrpc.target import parse_cid


def optional_cid(body: Mapping[str, Any], name: str) -> Cid | None:
    """Parse an optional CID field of the input; None if it is absent."""
    text = body.get(name)
    return None if text is None else parse_cid(text)


def swap_record(body: Mapping[str, Any]) -> Cid | Unswapped | None:
    """Read ``swapRecord``: a CID, null (there must be no record), or absent (no condition)."""
    if "swapRecord" not in body:
        return Unswapped.ANYTHING
    return optional_cid(body, "swapRecord")


def commit_meta(committed: Committed | None) -> dict[str, Any]:
    """The ``commit`` of a response, where there was one."""
    if committed is None:
        return {}
    return {"commit": {"cid": str(committed.commit), "rev": committed.rev}}


def result(did: Did, write: PreparedWrite) -> dict[str, Any]:
    """The part of a response about a written record: ``uri``, ``cid`` and ``validationStatus``."""
    shown: dict[str, Any] = {"uri": f"at://{did}/{write.path}", "cid": str(write.cid)}
    if write.validation is not None:
        shown["validationStatus"] = write.validation
    return shown


def written(did: Did, write: PreparedWrite, committed: Committed | None) -> dict[str, Any]:
    """The answer of createRecord and putRecord."""
    return {**result(did, write), **commit_meta(committed)}
