"""createRecord over HTTP: 16 people with 16 accounts, each record signed, committed and on disk before the response.

PDS and load generator are two processes on the same machine, so they share its cores.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from aiohttp import ClientSession

from at_protocol.data import cbor
from at_protocol.repo import car
from at_protocol.repo.commit import is_signed_by
from at_protocol.repo.snapshot import read_snapshot
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.pds import Account, Pds, make_accounts
from tests.bench.timing import percentile, progress
from tests.bench.writing import COLLECTION, record, write

WRITERS = 16
WARM_UP_EACH = 30
RECORDS_EACH = 500 if cbor.IS_COMPILED else 250


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        pds = Pds(Path(folder))
        progress("making accounts")
        accounts = pds.fill(lambda registry: make_accounts(registry, WRITERS))
        with pds.running() as server:
            progress(f"{WRITERS} writers warm up")
            run(write(server.url, accounts, WARM_UP_EACH))
            progress(f"{WRITERS} writers, {RECORDS_EACH} records each")
            before = server.processor_seconds
            taken, writings = run(write(server.url, accounts, RECORDS_EACH, WARM_UP_EACH))
            busy = server.processor_seconds - before
            progress("reading a repository back")
            run(_check_repository(server.url, accounts[0]))
            alone = run(write(server.url, accounts[:1], 200, WARM_UP_EACH + RECORDS_EACH))[1][0].seconds
    seconds = [second for writing in writings for second in writing.seconds]
    name = f"createRecord, {WRITERS} writers on {WRITERS} accounts, durable"
    yield Figure(name, len(seconds) / taken, "records/s", 1_500)
    yield Figure("the same, median time to answer", percentile(seconds, 0.5) * 1000, "ms", less_is_better=True)
    yield Figure("the same, p99", percentile(seconds, 0.99) * 1000, "ms", 40, less_is_better=True)
    yield Figure("processor time of the PDS per record", busy / len(seconds) * 1000, "ms", less_is_better=True)
    yield Figure("one writer alone, median", percentile(alone, 0.5) * 1000, "ms", less_is_better=True)


async def _check_repository(url: str, account: Account) -> None:
    """Check that everything that was acknowledged is there, in a tree whose root is signed with the account's key."""
    async with (
        ClientSession() as http,
        http.get(f"{url}/xrpc/com.atproto.sync.getRepo", params={"did": account.did}) as answer,
    ):
        check(answer.status == 200, f"getRepo answered {answer.status}")
        snapshot = read_snapshot(car.read(await answer.read()))
    check(is_signed_by(snapshot.commit, account.key.public), "the repository is not signed by its account's key")
    found = [
        cbor.decode(snapshot.records[cid]) for path, cid in snapshot.entries.items() if path.startswith(COLLECTION)
    ]
    expected = [record(account, number) for number in range(WARM_UP_EACH + RECORDS_EACH)]
    check(
        found == expected,
        f"the repository contains {len(found)} records instead of the {len(expected)} acknowledged ones",
    )
