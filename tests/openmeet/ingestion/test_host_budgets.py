"""Single records are asked of one host so many times a minute, whatever is owed; the rest waits as due later."""

from collections import Counter

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.dispatcher import HandlerOptions
from groundwork.rate_limit.contract import Limit
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.network.ingestion import fetch
from openmeet.network.ingestion.host_budgets import spending
from openmeet.network.records.collections import EVENT
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import event_value
from tests.openmeet.town import Town

THREE = Limit("records_asked_of_host", 3, 60)


async def test_what_is_over_a_hosts_budget_is_due_later(town: Town):
    """Both kinds of debt, and two programs that share their counters, ask out of one budget; all is asked in the end."""
    await town.connected("cleo")
    app = await town.stranger("cleo")
    did = parse_did((await app.query("com.atproto.server.getSession"))["did"])
    uris = []
    for number in range(5):
        wish = {"repo": did, "collection": EVENT, "record": event_value(f"Tea {number}")}
        uris.append((await app.procedure("com.atproto.repo.createRecord", wish))["uri"])
    counters = InProcessCounters()
    here = town.processor.here
    handlers = {
        JobKind.FETCH_SUBJECT: HandlerOptions(
            fetch.subject_handler(town.db, town.network, here, spend_on_host=spending(counters, town.clock, THREE))
        ),
        JobKind.PROVE_RECORD: HandlerOptions(
            fetch.record_handler(town.db, town.network, here, spend_on_host=spending(counters, town.clock, THREE))
        ),
    }
    async with town.db.transaction() as tx:
        for kind, part in ((JobKind.FETCH_SUBJECT, uris[:2]), (JobKind.PROVE_RECORD, uris[2:])):
            await jobs.enqueue_many(tx, kind, [(uri, 1, tx.now) for uri in part])
    question = "select state, due_at, reason from debts where kind in ('fetch_subject', 'prove_record')"

    async def known() -> int:
        async with town.db.reader() as reader:
            return len(await reader.fetch("select uri from records"))

    await dispatcher.run_once(town.db, handlers)
    async with town.db.reader() as reader:
        rows = await reader.fetch(question)
    assert Counter(row["state"] for row in rows) == {"paid": 3, "due": 2}
    waiting = [row for row in rows if row["state"] == "due"]
    assert all(row["due_at"] >= town.clock.now() + MINUTE for row in waiting)
    assert all("at most 3 in 60 seconds" in row["reason"] for row in waiting)
    assert await known() == 3
    town.clock.turn(2 * MINUTE)
    await dispatcher.run_once(town.db, handlers)
    assert await known() == 5
