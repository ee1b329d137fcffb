"""Return one record, by repository, collection and key."""

from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.repository.json_forms import json_text
from aurora_locus.repository.reader import find_record
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import JSON, XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import did_of, parse_cid, rev_header, visible_head
from groundwork.errors import NotFound

NSID = Nsid("com.atproto.repo.getRecord")


async def get_record(call: XrpcCall) -> XrpcResponse:
    """Return uri, cid and value of a record. The error is RecordNotFound also if ``cid`` is not the record's current
    version.

    Records of accounts on other servers are requested from the app view, if there is one.
    """
    parameters = call.parameters
    try:
        did = await did_of(call, parameters["repo"])
        head = await visible_head(call, did)
    except NotFound:
        proxying = call.host.proxying
        reply = None if proxying is None else await proxying.ask_app_view(NSID, parameters)
        if reply is None:
            raise
        return XrpcResponse(reply.body, headers=reply.headers, status=reply.status)
    requested_cid = parse_cid(parameters["cid"]) if "cid" in parameters else None
    record = await find_record(call.host.db, did, Nsid(parameters["collection"]), RecordKey(parameters["rkey"]))
    uri = f"at://{did}/{parameters['collection']}/{parameters['rkey']}"
    if record is None or (requested_cid is not None and record.cid != requested_cid):
        raise NotFound(f"Could not locate record: {uri}", name="RecordNotFound")
    form = await call.host.repositories.json_forms.of(bytes(record.cid), record.block)
    return XrpcResponse(b'{"uri":%b,%b}' % (json_text(uri), form), JSON, headers=rev_header(call, head))


METHOD = query(NSID, get_record, AccessLevel.OPTIONAL_LENIENT)
