"""Return the document of a DID."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(_registry: Registry, call: XrpcCall) -> Outcome:
    """Return the DID document unchanged. The handle in it is not verified."""
    document = await call.host.network.resolve_did(Did(call.parameters["did"]))
    return {"didDoc": document.source}
