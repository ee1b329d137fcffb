"""Return the proof that a record is in a repository, or that it is not."""

from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from aurora_locus.repository.export import record_proof
from aurora_locus.xrpc.method import XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import visible_head


async def get_record(call: XrpcCall) -> XrpcResponse:
    """Return a CAR whose root is the commit. For an absent record it proves the absence; this is not an error."""
    parameters = call.parameters
    did = Did(parameters["did"])
    await visible_head(call, did)
    proof = await record_proof(call.host.repositories, did, f"{parameters['collection']}/{parameters['rkey']}")
    return XrpcResponse(proof, MEDIA_TYPE)


METHOD = query("com.atproto.sync.getRecord", get_record)
