"""Method table of ``com.atproto.repo.*``, with the write limits per account: points per hour and day, counted as in the
reference server.
"""

from collections.abc import Callable
from dataclasses import replace

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_repo import (
    apply_writes,
    create_record,
    delete_record,
    describe_repo,
    get_record,
    import_repo,
    list_missing_blobs,
    list_records,
    put_record,
    upload_blob,
)
from aurora_locus.xrpc.com_atproto_repo.type_resolution import with_type_resolution
from aurora_locus.xrpc.limits import per_account, with_limits
from aurora_locus.xrpc.method import Method, Outcome, Run, XrpcCall
from groundwork.rate_limit.contract import Limit

WRITES = Limit("writes", 5000, 3600)
WRITES_DAILY = Limit("writes_daily", 35_000, 86_400)
UPLOADS_DAILY = Limit("uploads_daily", 1000, 86_400)
# Each import can take a minute of CPU and occupy the writer for seconds. A migration may need a few attempts.
IMPORTS = Limit("imports", 30, 3600)

CREATION, UPDATE, DELETION = 3, 2, 1
_OF_BATCHES = {
    f"{apply_writes.NSID}#create": CREATION,
    f"{apply_writes.NSID}#update": UPDATE,
    f"{apply_writes.NSID}#delete": DELETION,
}
METHODS = (
    apply_writes.METHOD,
    create_record.METHOD,
    delete_record.METHOD,
    describe_repo.METHOD,
    get_record.METHOD,
    import_repo.METHOD,
    list_missing_blobs.METHOD,
    list_records.METHOD,
    put_record.METHOD,
    upload_blob.METHOD,
)


def _all_of(call: XrpcCall) -> int:
    return sum(_OF_BATCHES[write["$type"]] for write in call.body["writes"])


_POINTS: dict[str, Callable[[XrpcCall], int]] = {
    apply_writes.NSID: _all_of,
    "com.atproto.repo.createRecord": lambda _call: CREATION,
    "com.atproto.repo.putRecord": lambda _call: UPDATE,
    "com.atproto.repo.deleteRecord": lambda _call: DELETION,
}


def _unless_arriving(counted: Run, plain: Run) -> Run:
    """Do not count the uploads of a migrating account, which uploads the blobs of years in an hour. The quota still
    limits them.
    """

    async def run(call: XrpcCall) -> Outcome:
        return await (plain if call.caller is not None and call.caller.is_arriving else counted)(call)

    return run


def for_writers(registry: Registry, method: Method) -> Method:
    """Wrap a method so that its writes count against the limits of the account."""
    points = _POINTS.get(method.nsid)
    if points is not None:
        run = with_limits(registry, per_account(WRITES, WRITES_DAILY), method.run, points)
        return replace(method, run=run)
    if method.nsid == "com.atproto.repo.uploadBlob":
        counted = with_limits(registry, per_account(UPLOADS_DAILY), method.run)
        return replace(method, run=_unless_arriving(counted, method.run))
    if method.nsid == "com.atproto.repo.importRepo":
        return replace(method, run=with_limits(registry, per_account(IMPORTS), method.run))
    return method


def methods(registry: Registry) -> list[Method]:
    """The methods of ``com.atproto.repo``, with their limits."""
    return [for_writers(registry, with_type_resolution(method)) for method in METHODS]
