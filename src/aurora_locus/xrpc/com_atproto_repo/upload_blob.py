"""Upload a blob. A record must refer to it within a few hours, or it is deleted."""

from collections.abc import Sequence
from typing import Any

from at_protocol.data import json_form
from aurora_locus.accounts.limits import UPLOADS_DAILY
from aurora_locus.blobs.uploads import upload
from aurora_locus.repository.statuses import require_visible
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import XrpcCall, procedure
from aurora_locus.xrpc.permissions import require_upload
from groundwork.errors import InvalidInput
from groundwork.rate_limit.contract import Limit

# The real limit is set by the operator and enforced while receiving. This limit only bounds the bodies that the
# application accepts.
_NO_MORE_THAN = 10 * 1024**3


async def upload_blob(call: XrpcCall) -> dict[str, Any]:
    """Store the uploaded bytes and return the reference to put into records.

    The account may be deactivated, because a migration uploads blobs before it is complete.
    """
    # Without a slash it is not a media type.
    if "/" not in (call.header("content-type") or ""):
        raise InvalidInput("", "Request encoding (Content-Type) required but not provided.")
    require_upload(call.caller, call.header("content-type"))
    head = await call.host.repositories.head(call.did)
    require_visible(head, reader_is_owner=True)
    reference = await upload(
        call.host.repositories.blobs,
        call.did,
        call.stream,
        content_type=call.header("content-type"),
        content_length=_announced(call),
    )
    return {"blob": json_form.to_json(reference.to_value())}


def _charges(call: XrpcCall) -> Sequence[tuple[Limit, str]]:
    """An account that arrives from another server uploads the blobs of years in an hour. Only the quota limits it."""
    is_arriving = call.caller is not None and call.caller.is_arriving
    return [] if is_arriving else [(UPLOADS_DAILY, call.did)]


def _announced(call: XrpcCall) -> int | None:
    text = call.header("content-length")
    # The length of a decoded body differs from the announced length; the application has then removed the header.
    if text is None:
        return None
    if not text.isdigit():
        raise InvalidInput("", "Content-Length is not a number.")
    return int(text)


METHOD = procedure(
    "com.atproto.repo.uploadBlob",
    upload_blob,
    AccessLevel.SERVICE,
    max_body_bytes=_NO_MORE_THAN,
    raw_body=True,
    charges=_charges,
)
