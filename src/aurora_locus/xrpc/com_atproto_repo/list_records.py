"""The records of a collection, newest key first unless ``reverse``; the cursor is the last key given."""

from typing import Any

from at_protocol.data import cbor, json_form
from at_protocol.failures import Malformed
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import parse_record_key
from aurora_locus.repository import reader
from aurora_locus.xrpc.method import Answer, Call, query
from aurora_locus.xrpc.target import bad_cursor, did_of, rev_header, visible_head


async def list_records(call: Call) -> Answer:
    """Answer a page; no cursor where it is the last one."""
    asked = call.parameters
    did = await did_of(call, asked["repo"])
    head = await visible_head(call, did)
    cursor, limit = asked.get("cursor"), asked["limit"]
    if cursor is not None:
        try:
            parse_record_key(cursor)
        except Malformed:
            raise bad_cursor() from None
    records = await reader.list_records(
        call.host.db,
        did,
        Nsid(asked["collection"]),
        cursor=cursor,
        limit=limit,
        oldest_first=asked.get("reverse", False),
    )
    page: dict[str, Any] = {
        "records": [
            {
                "uri": f"at://{did}/{record.collection}/{record.rkey}",
                "cid": str(record.cid),
                "value": json_form.to_json(cbor.decode(record.block)),
            }
            for record in records
        ]
    }
    if len(records) == limit:
        page["cursor"] = records[-1].rkey
    return Answer(page, headers=rev_header(call, head))


METHOD = query("com.atproto.repo.listRecords", list_records)
