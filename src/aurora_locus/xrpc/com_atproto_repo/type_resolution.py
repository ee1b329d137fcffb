"""Before a record is written, resolve the Lexicon of its type if this server does not know it."""

from collections.abc import Iterable, Mapping

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.nsid import Nsid
from aurora_locus.xrpc.method import XrpcCall


async def catalogs_for(call: XrpcCall, collections: Iterable[str]) -> Mapping[Nsid, Catalog]:
    """Return the catalogs with which records of these collections are validated. Try, for a short time, to resolve
    unknown Lexicons, unless the caller wants no validation.

    Call it after everything that may refuse the write, because it calls other servers.
    """
    names = [Nsid(one) for one in collections]
    type_resolver = call.host.type_resolver
    if type_resolver is None or call.body.get("validate") is False:
        return dict.fromkeys(names, call.host.catalog)
    return await type_resolver.catalogs_for(names)
