"""List the records of a collection, newest key first unless ``reverse``. The cursor is the last key of the page."""

from at_protocol.failures import Malformed
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import parse_record_key
from aurora_locus.repository import reader
from aurora_locus.repository.json_forms import json_text
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import JSON, XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import bad_cursor, did_of, visible_head


async def list_records(call: XrpcCall) -> XrpcResponse:
    """Return a page, which has fewer than ``limit`` records if they are large. The last page has no cursor."""
    parameters = call.parameters
    did = await did_of(call, parameters["repo"])
    await visible_head(call, did)
    cursor, limit = parameters.get("cursor"), parameters["limit"]
    if cursor is not None:
        try:
            parse_record_key(cursor)
        except Malformed:
            raise bad_cursor() from None
    records, has_more = await reader.list_forms(
        call.host.db,
        call.host.repositories.json_forms,
        did,
        Nsid(parameters["collection"]),
        cursor=cursor,
        limit=limit,
        oldest_first=parameters.get("reverse", False),
    )
    # DIDs, collections and record keys contain no characters that need JSON escaping.
    start = f'{{"uri":"at://{did}/{parameters["collection"]}/'.encode()
    entries = b",".join([b'%b%b",%b}' % (start, rkey.encode(), form) for rkey, form in records])
    end = b',"cursor":%b}' % json_text(records[-1][0]) if has_more else b"}"
    return XrpcResponse(b'{"records":[%b]%b' % (entries, end), JSON)


METHOD = query("com.atproto.repo.listRecords", list_records, AccessLevel.OPTIONAL_LENIENT)
