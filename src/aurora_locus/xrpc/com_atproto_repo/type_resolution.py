"""Before a record is written, resolve the Lexicon of its type if this server does not know it."""

from collections.abc import Iterable
from dataclasses import replace

from at_protocol.syntax.nsid import Nsid
from aurora_locus.xrpc.com_atproto_repo import apply_writes, create_record, put_record
from aurora_locus.xrpc.method import Method, Outcome, XrpcCall

_WRITE_ONE_RECORD = frozenset({create_record.METHOD.nsid, put_record.METHOD.nsid})


def with_type_resolution(method: Method) -> Method:
    """Wrap a method so that it first tries, for a short time, to resolve the Lexicons of unknown record types."""
    if method.nsid not in _WRITE_ONE_RECORD and method.nsid != apply_writes.NSID:
        return method

    async def run(call: XrpcCall) -> Outcome:
        type_resolver = call.host.type_resolver
        if type_resolver is not None and call.body.get("validate") is not False:
            await type_resolver.resolve_and_add_all(_collections(method, call))
        return await method.run(call)

    return replace(method, run=run)


def _collections(method: Method, call: XrpcCall) -> Iterable[Nsid]:
    if method.nsid in _WRITE_ONE_RECORD:
        return (Nsid(call.body["collection"]),)
    return {Nsid(write["collection"]) for write in call.body["writes"] if not write["$type"].endswith("#delete")}
