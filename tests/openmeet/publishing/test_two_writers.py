"""Two writers of one record, in every order: the host's page and another app, and two installations that share a DID.

Three edits, each followed at some point by its delivery (a send, or the stream), in each of the ninety orders. In the
end page and repository are equal, every manual edit is kept or logged, and nobody writes any more.
"""

import pytest

from at_protocol.syntax.datetime import format_datetime
from groundwork.clock import DAY, HOUR, SECOND, Instant
from openmeet.domain.events.edits import local_text
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.network.ingestion import merge_review
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.two_writers import (
    Witness,
    Writers,
    WriterStep,
    delivered_at,
    edit_orders,
    kept_names,
    open_other_site,
    publish_for_writers,
    write_until_idle,
)


async def test_any_order_of_edits_by_page_and_app_converges(deployment: Deployment):
    """A name on the page, a name in the app, and a description on the page."""
    cleo = await deployment.connected("cleo")
    for number, order in enumerate(edit_orders()):
        # The app's session lasts two hours, and each order takes some minutes of the deployment's clock.
        app = await deployment.stranger("cleo")
        writers = await publish_for_writers(deployment, cleo, app, f"Event {number}")
        here, there, words = f"Page {number}", f"App {number}", f"Words {number}"
        edits: list[WriterStep] = [
            lambda w=writers, v=here: w.on_the_page("title", v),
            lambda w=writers, v=there: w.in_the_app("name", v),
            lambda w=writers, v=words: w.on_the_page("description", v),
        ]
        deliveries: list[WriterStep] = [writers.send, writers.read_stream, writers.send]
        mentioned: set[int] = set()
        for one in order:
            deployment.clock.turn(SECOND)
            await (deliveries if one in mentioned else edits)[one]()
            mentioned.add(one)
        rounds = await write_until_idle(writers)
        event, record = await writers.event(), await deployment.record(writers.uri)
        said = f"order {order}"
        assert (event.title, event.content.description) == (record["name"], words), said
        assert record["description"].startswith(words), said
        assert event.title in {here, there}, said
        # The author of the remaining name had read the replaced one, or both are kept for the host.
        lost = there if event.title == here else here
        first, second = (1, 0) if lost == there else (0, 1)
        was_read = order.index(second) > delivered_at(order, first)
        assert was_read or {here, there} <= await kept_names(writers), f"{said}: {lost} is lost without a trace"
        assert rounds <= 3, f"{said}: {rounds} rounds"


@pytest.mark.parametrize("order", [(0, 1, 0, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 1, 0)], ids=str)
async def test_times_changed_on_both_sides_are_not_mixed(deployment: Deployment, order: tuple[int, ...]):
    """The start of one side is never combined with the end of the other: both sides have times that somebody entered,
    and the host can choose the others.
    """
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    writers = await publish_for_writers(deployment, cleo, app, "Evening")
    was = await writers.event()
    assert was.starts_at is not None
    await writers.on_the_page("ends", local_text(Instant(was.starts_at + 2 * HOUR), was.time_zone))
    await write_until_idle(writers)
    longer = local_text(Instant(was.starts_at + 3 * HOUR), was.time_zone)
    starts, ends = (format_datetime(Instant(was.starts_at + 7 * DAY + more)) for more in (0, 2 * HOUR))
    edits: list[WriterStep] = [
        lambda: writers.on_the_page("ends", longer),
        lambda: writers.in_the_app_all({"startsAt": starts, "endsAt": ends}),
    ]
    deliveries: list[WriterStep] = [writers.send, writers.read_stream]
    mentioned: set[int] = set()
    for one in order:
        deployment.clock.turn(SECOND)
        await (deliveries if one in mentioned else edits)[one]()
        mentioned.add(one)
    await write_until_idle(writers)
    event, record = await writers.event(), await deployment.record(writers.uri)
    assert (event.starts_at, event.ends_at) == (was.starts_at, was.starts_at + 3 * HOUR)
    assert [record[key] for key in ("startsAt", "endsAt")] == [
        format_datetime(one) for one in (event.starts_at, event.ends_at) if one is not None
    ]
    async with deployment.db.reader() as reader:
        (found, *_) = await merge_decisions.of_records(reader, [writers.uri], ALL_ROWS)
    async with deployment.db.transaction() as tx:
        await merge_review.choose(
            tx, cleo, event.slug, field=found.decision.field, theirs_rev=found.theirs_rev, choice=MergeSide.THEIRS
        )
    await write_until_idle(writers)
    record = await deployment.record(writers.uri)
    assert (record["startsAt"], record["endsAt"]) == (starts, ends)


async def times_sent(side: Writers) -> int:
    """How often this installation has sent the record since its last local edit. Asserts that it has nothing queued and
    no open question.
    """
    async with side.deployment.db.reader() as reader:
        row = await reader.fetch_one("select writes, state from publications where uri = :uri", uri=side.uri)
    assert row is not None
    assert row["state"] == "published"
    return int(row["writes"])


@pytest.mark.parametrize("part", range(2))
async def test_two_installations_that_share_a_did_converge(
    deployment: Deployment, make_sqlite: MakeDatabase, part: int
):
    """A name on each page and a name in an app: in the end both sites show the name in the repository, and nothing
    changes any more.

    No name is lost: it is in the record, or kept for a host to choose, or the author of one of those names had read it.
    If the repository never had it, it is kept on the installation where it was typed. Neither installation sends more
    than necessary: its own edit, and once more its merge. Twenty of the ninety orders, evenly spread.
    """
    cleo = await deployment.connected("cleo")
    other_town = await open_other_site(deployment, make_sqlite)
    cleo_there = await other_town.connected_as("cleo")
    for number, order in enumerate([*edit_orders()][part::9]):
        app = await deployment.stranger("cleo")
        here = await publish_for_writers(deployment, cleo, app, f"Event {number}")
        there = Writers(other_town, cleo_there, here.uri, app)
        await there.read_stream()
        witness = Witness()
        names = [f"Here {number}", f"There {number}", f"App {number}"]
        on_pages = [
            (here, lambda w=here, v=names[0]: w.on_the_page("title", v)),
            (there, lambda w=there, v=names[1]: w.on_the_page("title", v)),
        ]
        edits: list[WriterStep] = [
            lambda s=side, v=name, e=edit, w=witness: w.edits(s, v, e)
            for (side, edit), name in zip(on_pages, names[:2], strict=True)
        ]
        edits.append(lambda s=here, v=names[2], w=witness: w.edits(s, v, lambda: s.in_the_app("name", v), in_app=True))
        deliveries: list[WriterStep] = [here.send, there.send, here.read_stream]
        mentioned: set[int] = set()
        for one in order:
            deployment.clock.turn(SECOND)
            await (deliveries if one in mentioned else edits)[one]()
            await witness.looks(here)
            mentioned.add(one)
        rounds = await write_until_idle(here, there, witness=witness)
        record = await deployment.record(here.uri)
        final = str(record["name"])
        said = f"order {order}"
        titles = {(await side.event()).title for side in (here, there)}
        assert titles == {final}, said
        assert rounds <= 4, f"{said}: {rounds} rounds"
        kept_by = {side: await kept_names(side) for side in (here, there)}
        for name, side in zip(names, (here, there, None), strict=True):
            known = witness.accounted_for({final} | kept_by[here] | kept_by[there])
            assert name in known, f"{said}: {name} is lost without a trace, {final} stands"
            if side is not None and name not in witness.in_repository:
                assert name in kept_by[side], f"{said}: {name} is lost on the site where it was entered"
        sent = [await times_sent(side) for side in (here, there)]
        assert max(sent) <= 2, f"{said}: sent {sent} times"
        assert len(witness.versions) <= 1 + len(edits) + 2, f"{said}: {len(witness.versions)} versions"
