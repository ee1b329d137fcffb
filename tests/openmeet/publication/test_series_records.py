"""A series as a record of its own, and as a rule in the record of its next date: each behind its flag, in place of nothing."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from at_network.xrpc_client import XrpcClient
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.series import actions, cancel_dates, date_queries, detection_actions
from openmeet.domain.series.dates import template_in
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.flag_effects import switch
from openmeet.network.records.collections import EVENT, SERIES, SERIES_LINK_KEY
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.ingestion.network import HERE, Change, event_value, message, rev
from tests.openmeet.series.test_detecting import looked_through
from tests.openmeet.town import INSTANCE, Town, details

TakesBack = Callable[..., Awaitable[object]]

RULE = "FREQ=WEEKLY;COUNT=10"


async def turn(town: Town, flag: Flag, *, is_on: bool = True) -> None:
    async with town.db.transaction() as tx:
        assert await switch(tx, flag, is_on=is_on, changed_by="a test")
    town.clock.turn(MAX_AGE)


async def pay(town: Town) -> None:
    while await town.pay():
        pass


async def make(town: Town) -> tuple[Caller, Series]:
    ana = await town.person("Ana")
    timing = Timing(
        pattern(parse_date("2026-03-07T18:00", "Europe/Vienna"), "Europe/Vienna", parse_rule(RULE)), timedelta(hours=2)
    )
    async with town.db.transaction() as tx:
        series = await actions.create(tx, ana, template_in(details(description="Bring a cup.")), timing)
    await pay(town)
    return ana, series


async def records(town: Town, who: Caller, collection: str) -> dict[str, dict]:
    did = (await town.identity(who.user_id)).did
    client = XrpcClient(town.network.http, town.clock, town.pds_url)
    answer = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
    return {one["uri"]: dict(one["value"], cid=one["cid"]) for one in answer["records"]}


async def test_without_its_flag_a_series_has_no_record(town: Town):
    ana, _ = await make(town)
    assert await records(town, ana, SERIES) == {}


async def test_switched_on_the_rule_is_a_record_and_the_date_that_is_out_names_it(town: Town):
    """Moving over keeps the date's record, its uri, and the answers to it."""
    ana, series = await make(town)
    ben = await town.person("Ben")
    ((uri, before),) = (await records(town, ana, EVENT)).items()
    async with town.db.reader() as reader:
        first = (await date_queries.stored(reader, series.id))[0].event
    answer = await town.answer(ben, first.slug, RsvpReply.GOING)
    await pay(town)
    await turn(town, Flag.SERIES_LEXICON)
    await pay(town)
    ((series_uri, record),) = (await records(town, ana, SERIES)).items()
    assert {name: record[name] for name in ("name", "timezone", "dtstart", "durationMinutes", "rrule")} == {
        "name": "Tea in the park",
        "timezone": "Europe/Vienna",
        "dtstart": "2026-03-07T18:00:00",
        "durationMinutes": 120,
        "rrule": [RULE],
    }
    assert record["template"]["uris"][0]["uri"] == f"{INSTANCE}/series/{series.slug}"
    ((same, after),) = (await records(town, ana, EVENT)).items()
    assert same == uri
    assert after[SERIES_LINK_KEY]["series"] == {"uri": series_uri}
    assert {name for name in after if after[name] != before.get(name)} == {
        SERIES_LINK_KEY,
        "cid",
        "openmeet.lexicon.origin",
    } - (
        {"openmeet.lexicon.origin"} if after["openmeet.lexicon.origin"] == before["openmeet.lexicon.origin"] else set()
    )
    theirs = await town.record((await town.standing(PublicationKind.RSVP, answer.id)).uri)
    assert theirs["subject"]["uri"] == uri


async def test_exceptions_follow_and_what_another_app_added_stays(town: Town):
    await turn(town, Flag.SERIES_LEXICON)
    ana, series = await make(town)
    ((uri, record),) = (await records(town, ana, SERIES)).items()
    swap = record.pop("cid")
    app = await town.own_client(await town.identity(ana.user_id))
    _, _, did, collection, rkey = uri.split("/")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": did,
            "collection": collection,
            "rkey": rkey,
            "record": record | {"com.example.color": "red"},
            "swapRecord": swap,
        },
    )
    await town.listen(ana.user_id)
    async with town.db.transaction() as tx:
        locked = await actions.lock_own(tx, ana, series.slug)
        await cancel_dates.remove_dates(tx, locked, ["2026-03-14T18:00:00"])
    await pay(town)
    after = (await records(town, ana, SERIES))[uri]
    assert (after["exdate"], after["com.example.color"]) == (["2026-03-14T18:00:00"], "red")


async def test_the_record_goes_with_the_series_though_the_flag_is_off_by_then(town: Town):
    await turn(town, Flag.SERIES_LEXICON)
    ana, series = await make(town)
    assert len(await records(town, ana, SERIES)) == 1
    await turn(town, Flag.SERIES_LEXICON, is_on=False)
    assert len(await records(town, ana, SERIES)) == 1
    async with town.db.transaction() as tx:
        await actions.delete(tx, await actions.lock_own(tx, ana, series.slug), keeps_events=False)
    await pay(town)
    assert await records(town, ana, SERIES) == {}


@pytest.mark.parametrize("takes_back", [detection_actions.undo, detection_actions.refuse], ids=["undone", "refused"])
async def test_the_record_of_a_series_that_was_found_goes_with_its_authors_word(town: Town, takes_back: TakesBack):
    """Its rule was theirs no longer: it leaves their repository, and comes again when they say so again."""
    await turn(town, Flag.SERIES_LEXICON)
    ana = await town.person("Ana")
    # A first event makes their repository.
    await town.event(ana, title="Something else")
    await pay(town)
    did = (await town.identity(ana.user_id)).did
    async with town.db.transaction() as tx:
        days = [f"2026-04-{day:02d}T18:00:00Z" for day in (7, 14, 21, 28)]
        said = [event_value("Chess", startsAt=at, createdAt="2026-01-01T00:00:00Z") for at in days]
        changes = [Change(did, EVENT, f"chess{n}", rev(n + 1), value) for n, value in enumerate(said)]
        await apply(tx, HERE, [message(one) for one in changes])
    (found,) = await looked_through(town.db, ana.user_id)
    for _ in range(2):
        async with town.db.transaction() as tx:
            await detection_actions.accept(tx, ana, found.id)
        await pay(town)
        (uri,) = await records(town, ana, SERIES)
        async with town.db.transaction() as tx:
            await takes_back(tx, ana, found.id)
        await pay(town)
        assert await records(town, ana, SERIES) == {}, uri
        if takes_back is detection_actions.refuse:
            break


async def test_the_rule_stands_in_the_next_dates_record_while_that_is_switched_on(town: Town):
    """COUNT would begin anew with another start: it is the UNTIL that it means."""
    ana, _ = await make(town)
    ((uri, before),) = (await records(town, ana, EVENT)).items()
    assert "rrule" not in before
    await turn(town, Flag.NATIVE_RECURRENCE)
    await pay(town)
    assert (await town.record(uri))["rrule"] == "FREQ=WEEKLY;UNTIL=20260509T160000Z"
    await turn(town, Flag.NATIVE_RECURRENCE, is_on=False)
    await pay(town)
    assert "rrule" not in await town.record(uri)
