"""Return the bytes of a public blob, in part or whole. A browser never renders them as a page of this server."""

import re

from at_protocol.syntax.did import Did
from aurora_locus.blobs import queries
from aurora_locus.blobs.uploads import object_name
from aurora_locus.xrpc.method import XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import parse_cid, visible_head
from groundwork.errors import NotFound

# Short, because caches should not serve a deleted blob for long.
_CACHE_SECONDS = 300

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


async def get_blob(call: XrpcCall) -> XrpcResponse:
    """Return the blob. The error is BlobNotFound for temporary blobs, for taken-down ones, and for those that no record
    refers to.
    """
    did, cid = Did(call.parameters["did"]), parse_cid(call.parameters["cid"])
    await visible_head(call, did)
    blob = await queries.find(call.host.db, did, cid)
    if blob is None or not blob.is_public or blob.is_taken_down:
        raise NotFound("Blob not found", name="BlobNotFound")
    headers = {
        "content-disposition": f'attachment; filename="{cid}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
        "etag": f'"{cid}"',
        "accept-ranges": "bytes",
    }
    if call.caller is None:  # otherwise the dispatcher marks the response as private
        headers["cache-control"] = f"public, max-age={_CACHE_SECONDS}"
    if call.header("if-none-match") == headers["etag"]:
        return XrpcResponse(status=304, headers=headers)
    status, start, end = _range(call.header("range"), blob.size)
    if status == 416:
        return XrpcResponse(status=416, headers={"content-range": f"bytes */{blob.size}"})
    if status == 206:
        headers["content-range"] = f"bytes {start}-{end - 1}/{blob.size}"
    headers["content-length"] = str(end - start)
    body = call.host.repositories.blobs.store.read(object_name(did, cid), start=start, end=end)
    return XrpcResponse(body, blob.mime_type, headers, status)


def _range(header: str | None, size: int) -> tuple[int, int, int]:
    """Return the status, first byte and end of the requested range. Only one range is supported. Any other header,
    including one whose range ends before it begins, is ignored and the whole blob is sent (RFC 9110 sections 14.1.1,
    14.2).
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "":
        return 200, 0, size
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        if match[2] and int(match[2]) < int(match[1]):
            return 200, 0, size
        start, end = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
    if start >= size:
        return 416, 0, 0
    return 206, start, end


METHOD = query("com.atproto.sync.getBlob", get_blob)
