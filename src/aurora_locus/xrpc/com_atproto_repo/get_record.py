"""One record, by repository, collection and key."""

from at_protocol.data import cbor, json_form
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.repository.reader import find_record
from aurora_locus.xrpc.method import Answer, Call, query
from aurora_locus.xrpc.target import did_of, parse_cid, rev_header, visible_head
from groundwork.errors import NotFound


async def get_record(call: Call) -> Answer:
    """Answer uri, cid and value; RecordNotFound also when ``cid`` names another version than the present one."""
    asked = call.parameters
    did = await did_of(call, asked["repo"])
    head = await visible_head(call, did)
    wanted = parse_cid(asked["cid"]) if "cid" in asked else None
    record = await find_record(call.host.db, did, Nsid(asked["collection"]), RecordKey(asked["rkey"]))
    uri = f"at://{did}/{asked['collection']}/{asked['rkey']}"
    if record is None or (wanted is not None and record.cid != wanted):
        raise NotFound(f"Could not locate record: {uri}", name="RecordNotFound")
    value = json_form.to_json(cbor.decode(record.block))
    return Answer({"uri": uri, "cid": str(record.cid), "value": value}, headers=rev_header(call, head))


METHOD = query("com.atproto.repo.getRecord", get_record)
