"""Before a record is written, resolve the Lexicon of its type if this server does not know it."""

from collections.abc import Iterable

from at_protocol.syntax.nsid import Nsid
from aurora_locus.xrpc.method import XrpcCall


async def resolve_types(call: XrpcCall, collections: Iterable[str]) -> None:
    """Try, for a short time, to resolve the Lexicons of these collections, unless the caller wants no validation."""
    type_resolver = call.host.type_resolver
    if type_resolver is not None and call.body.get("validate") is not False:
        await type_resolver.resolve_and_add_all([Nsid(one) for one in collections])
