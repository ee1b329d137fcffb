"""Rows of which the record says less, or more than other apps understand: what it leaves out is no difference, what it says wrongly is one."""

from dataclasses import replace

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import SECOND
from openmeet.domain.events.model import USUAL_RECORD, Detail, Event
from openmeet.domain.series.model import PublishPolicy
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.ingestion.reconcile import Reconciled, reconcile
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.publication.test_events_of_groups import event_in_group
from tests.openmeet.publication.test_groups import found as found_group
from tests.openmeet.publication.test_groups import let_in, pay, records, show
from tests.openmeet.publication.test_series_flags import let, make, turn
from tests.openmeet.publication.test_wishes import decide
from tests.openmeet.town import Town

# Every field that a form has.
EVERYTHING = {
    "description": "Bring **a board**.\n\nhttps://example.org/more",
    "mode": "hybrid",
    "street": "Hauptstraße 1",
    "postal_code": "1010",
    "locality": "Wien",
    "region": "Wien",
    "point": "48.2, 16.37",
    "online_url": "https://join.example/x",
    "online_url_audience": "everyone",
    "capacity": "12",
    "door_note": "Ring twice",
    "ticket_url": "https://tickets.example/1",
    "price": "3 €",
    "access": "step_free",
    "access_note": "One step",
    "categories": "",
    "tags": "chess, endgame",
    "languages": "de, en",
}
EVENTS: dict[str, dict[str, str]] = {
    "everything": EVERYTHING,
    "hidden from most": {**EVERYTHING, "online_url_audience": "attendees", "place_audience": "attendees"},
    "whole days": {"all_day": "on", "starts": "2026-04-01", "ends": "2026-04-03"},
    "without an end": {"ends": ""},
    "online alone": {"mode": "online", "venue_name": "", "country": "", "online_url": "https://join.example/x"},
}
LEVELS = ("in full", "the least by its host", "the least by its group")


async def compared(town: Town, who: Caller, *, is_dry_run: bool = True) -> Reconciled:
    town.clock.turn(SECOND)
    did = parse_did((await town.identity(who.user_id)).did)
    return await reconcile(town.db, town.network, town.processor.here, did, is_dry_run=is_dry_run)


async def published(town: Town, host: Caller, level: str, typed: dict[str, str]) -> tuple[Event, str]:
    if level == "the least by its group":
        _, event = await event_in_group(town, host, promotion_level="members")
        await town.revise(host, event.slug, **typed)
    else:
        event = await town.event(host, **typed)
    if level == "the least by its host":
        await decide(town, host, event.slug, replace(USUAL_RECORD, detail=Detail.MINIMAL))
    await pay(town)
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    assert uri is not None
    await compared(town, host, is_dry_run=False)
    return event, uri


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", EVENTS)
async def test_what_a_record_leaves_out_is_no_difference(town: Town, case: str, level: str):
    """However much of the event goes out: nothing is found, and nothing is written again."""
    cleo = await town.connected("cleo")
    _, uri = await published(town, cleo, level, EVENTS[case])
    before = await town.record(uri)
    found = await compared(town, cleo)
    assert [(one.kind, one.fields) for one in found.standing] == []
    assert await town.pay() == 0
    assert await town.record(uri) == before


@pytest.mark.parametrize("level", LEVELS)
async def test_what_a_record_says_wrongly_is_found(town: Town, level: str):
    """Name and time at every level, the rest where it goes out; mended, the record says what was typed here."""
    cleo = await town.connected("cleo")
    event, uri = await published(town, cleo, level, EVERYTHING)
    async with town.db.transaction() as tx:
        await tx.execute(
            "update events set title = 'Go', status = 'postponed', description = 'Other', locality = 'Graz' where id = :id",
            id=event.id,
        )
    ((kind, fields),) = [(one.kind, one.fields) for one in (await compared(town, cleo)).standing]
    expected = {"title", "status"} | ({"description", "locality"} if level == "in full" else set())
    assert (kind, set(fields)) == (Discrepancy.ROW_DIFFERS, expected)
    await compared(town, cleo, is_dry_run=False)
    await pay(town)
    assert (await town.record(uri))["name"] == "Go"
    assert (await compared(town, cleo)).standing == []


@pytest.mark.parametrize("policy", [PublishPolicy.NEXT, PublishPolicy.WINDOW])
@pytest.mark.parametrize("flags", [(), (Flag.NATIVE_RECURRENCE,), (Flag.NATIVE_RECURRENCE, Flag.SERIES_LEXICON)])
async def test_dates_that_tell_their_rule_are_no_difference(town: Town, flags: tuple[Flag, ...], policy: PublishPolicy):
    await turn(town, *flags)
    ana, series = await make(town)
    await let(town, ana, series, policy)
    await compared(town, ana, is_dry_run=False)
    before = await records(town, ana, EVENT)
    assert before
    assert [(one.kind, one.uri, one.fields) for one in (await compared(town, ana)).standing] == []
    assert await town.pay() == 0
    assert await records(town, ana, EVENT) == before


async def test_a_date_that_tells_its_rule_and_says_another_name_is_found(town: Town):
    await turn(town, Flag.NATIVE_RECURRENCE)
    ana, series = await make(town)
    await let(town, ana, series, PublishPolicy.NEXT)
    await compared(town, ana, is_dry_run=False)
    async with town.db.transaction() as tx:
        assert await tx.execute("update events set title = 'Go' where record_uri is not null") == 1
    assert [(one.kind, one.fields) for one in (await compared(town, ana)).standing] == [
        (Discrepancy.ROW_DIFFERS, ("title",))
    ]


@pytest.mark.parametrize("level", ["members", "public"])
async def test_a_group_that_lets_out_the_least_is_no_difference(town: Town, level: str):
    await turn(town, Flag.GROUPS)
    ana = await town.person("Ana")
    group = await found_group(town, ana, promotion_level=level, join_question="Why?", locality="Wien")
    await compared(town, ana, is_dry_run=False)
    assert [(one.kind, one.fields) for one in (await compared(town, ana)).standing] == []
    async with town.db.transaction() as tx:
        await tx.execute("update groups set name = 'Go', locality = 'Graz' where id = :id", id=group.id)
    ((kind, fields),) = [(one.kind, one.fields) for one in (await compared(town, ana)).standing]
    assert (kind, set(fields)) == (Discrepancy.ROW_DIFFERS, {"name"} | ({"locality"} if level == "public" else set()))


async def test_a_series_and_a_member_that_are_said_wrongly_are_found(town: Town):
    """The rule in the series' own record, and the role that the group gives: mended by writing them again."""
    await turn(town, Flag.GROUPS, Flag.MEMBERSHIPS, Flag.SERIES_LEXICON)
    ana, series = await make(town)
    ben = await town.person("Ben")
    group = await found_group(town, ana)
    await let_in(town, ana, group, ben)
    await show(town, ben, group)
    await pay(town)
    await town.listen(ben.user_id)
    await compared(town, ana, is_dry_run=False)
    await pay(town)
    assert [(one.kind, one.fields) for one in (await compared(town, ana)).standing] == []
    async with town.db.transaction() as tx:
        await tx.execute("update event_series set name = 'Go' where id = :id", id=series.id)
        await tx.execute("update group_members set role = 'admin' where user_id = :id", id=ben.user_id)
    found = await compared(town, ana)
    assert {(one.kind, one.fields) for one in found.standing} == {
        (Discrepancy.ROW_DIFFERS, ("name",)),
        (Discrepancy.ROW_DIFFERS, ("role",)),
    }
    await compared(town, ana, is_dry_run=False)
    await pay(town)
    assert (await compared(town, ana)).standing == []
    assert {one["name"] for one in (await records(town, ana, SERIES)).values()} == {"Go"}
