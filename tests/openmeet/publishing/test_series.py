"""A series on the network: its next date is an ordinary event with a link and a sentence. A change of one date changes
one record.
"""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from at_network.xrpc_client import XrpcClient
from groundwork.clock import DAY
from groundwork.errors import NotFound
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import Event
from openmeet.domain.series import actions, date_queries, record_settings, tasks
from openmeet.domain.series.model import PublishPolicy, Series, Timing
from openmeet.domain.users.model import Caller
from openmeet.network.publishing import consent
from openmeet.network.records.collections import EVENT, SERIES_LINK_KEY
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.deployment import INSTANCE, Deployment, details, records_listed


@dataclass
class Weekly:
    deployment: Deployment
    ana: Caller
    series: Series

    async def dates(self) -> list[Event]:
        async with self.deployment.db.reader() as reader:
            return [held.event for held in await date_queries.stored(reader, self.series.id)]

    async def records(self) -> dict[str, dict]:
        """All records in the events collection, by URI."""
        did = (await self.deployment.identity(self.ana.user_id)).did
        client = XrpcClient(self.deployment.network.http, self.deployment.clock, self.deployment.pds_url)
        answer = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": EVENT})
        return {one["uri"]: dict(one["value"], cid=one["cid"]) for one in records_listed(answer)}

    async def deliver_publications(self) -> None:
        while await self.deployment.deliver_publications():
            pass


@pytest.fixture
async def weekly(deployment: Deployment) -> Weekly:
    ana = await deployment.person("Ana")
    start = parse_date("2026-03-07T18:00", "Europe/Vienna")
    timing = Timing(pattern(start, "Europe/Vienna", parse_rule("FREQ=WEEKLY")), timedelta(hours=2))
    async with deployment.db.transaction() as tx:
        series = await actions.create(tx, ana, details(description="Bring a cup.").content, timing)
    made = Weekly(deployment, ana, series)
    await made.deliver_publications()
    return made


async def test_only_the_next_date_has_a_record_that_links_to_the_others(weekly: Weekly):
    (record,) = (await weekly.records()).values()
    page = f"{INSTANCE}/series/{weekly.series.slug}"
    assert record["startsAt"] == "2026-03-07T17:00:00.000Z"
    assert record["description"] == f"Bring a cup.\n\nEvery Saturday at 18:00. All dates: {page}"
    assert record[SERIES_LINK_KEY] == {
        "$type": SERIES_LINK_KEY,
        "url": page,
        "recurrenceId": "2026-03-07T18:00:00",
    }


async def test_other_dates_stay_here_because_of_the_series(weekly: Weekly):
    """Their hosts read this reason, also without a group. The question for consent counts only the dates that would be
    published.
    """
    second = (await weekly.dates())[1]
    async with weekly.deployment.db.transaction() as tx:
        wanted = details(title="Tea and cake", starts="2026-03-14T18:00", ends="2026-03-14T20:00")
        await event_hosting.revise(tx, weekly.ana, second.slug, wanted)
    await weekly.deliver_publications()
    status = await weekly.deployment.status_of(PublicationKind.EVENT, second.id)
    assert status.reason is not None
    assert status.reason.code == PublicationReason.DATE_NOT_PUBLISHED
    async with weekly.deployment.db.reader() as reader:
        assert (await consent.preview(reader, weekly.ana.user_id, instance=INSTANCE)).events == 1


async def test_when_a_date_is_over_the_next_one_is_published(weekly: Weekly):
    """The record of the past date stays as history."""
    weekly.deployment.clock.turn(7 * DAY)
    await tasks.complete_dates(weekly.deployment.db)
    await weekly.deliver_publications()
    assert sorted(one["startsAt"] for one in (await weekly.records()).values()) == [
        "2026-03-07T17:00:00.000Z",
        "2026-03-14T17:00:00.000Z",
    ]


async def test_when_a_date_is_cancelled_its_record_says_so_and_the_next_is_published(weekly: Weekly):
    first = (await weekly.dates())[0]
    async with weekly.deployment.db.transaction() as tx:
        await event_hosting.cancel(tx, weekly.ana, first.slug, "Rain")
    await weekly.deliver_publications()
    assert sorted((one["startsAt"][:10], one["status"]) for one in (await weekly.records()).values()) == [
        ("2026-03-07", f"{EVENT}#cancelled"),
        ("2026-03-14", f"{EVENT}#scheduled"),
    ]


async def test_changing_one_date_changes_only_its_record(weekly: Weekly):
    async with weekly.deployment.db.transaction() as tx:
        await record_settings.change_series(tx, weekly.ana, weekly.series.slug, None, PublishPolicy.WINDOW)
    await weekly.deliver_publications()
    before = await weekly.records()
    assert len(before) >= 8
    third = (await weekly.dates())[2]
    async with weekly.deployment.db.transaction() as tx:
        wanted = details(
            title="Tea in the hall", description="Bring a cup.", starts="2026-03-21T18:00", ends="2026-03-21T20:00"
        )
        await event_hosting.revise(tx, weekly.ana, third.slug, wanted)
    await weekly.deliver_publications()
    after = await weekly.records()
    changed = {uri for uri in before | after if before.get(uri) != after.get(uri)}
    assert changed == {(await weekly.deployment.status_of(PublicationKind.EVENT, third.id)).uri}
    (uri,) = changed
    assert (after[uri]["name"], after[uri][SERIES_LINK_KEY]) == ("Tea in the hall", before[uri][SERIES_LINK_KEY])


async def test_with_policy_none_nothing_is_published_and_coming_records_are_deleted(weekly: Weekly):
    async with weekly.deployment.db.transaction() as tx:
        await record_settings.change_series(tx, weekly.ana, weekly.series.slug, None, PublishPolicy.NONE)
    await weekly.deliver_publications()
    assert await weekly.records() == {}


async def test_our_sentence_is_not_read_back_as_an_edit(weekly: Weekly):
    """After the record has come back and a whole read, the description is still the one that its host typed."""
    await weekly.deployment.listen(weekly.ana.user_id)
    first = (await weekly.dates())[0]
    assert first.content.description == "Bring a cup."


async def test_another_apps_description_is_taken_over_without_our_sentence(weekly: Weekly):
    (uri,) = await weekly.records()
    record = await weekly.deployment.record(uri)
    swap = record.pop("cid")
    identity = await weekly.deployment.identity(weekly.ana.user_id)
    from_elsewhere = {**record, "description": record["description"].replace("a cup", "two cups")}
    app = await weekly.deployment.own_client(identity)
    _, _, did, collection, rkey = uri.split("/")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": collection, "rkey": rkey, "record": from_elsewhere, "swapRecord": swap},
    )
    await weekly.deployment.listen(weekly.ana.user_id)
    assert (await weekly.dates())[0].content.description == "Bring two cups."


async def test_a_deleted_series_deletes_its_coming_record(weekly: Weekly):
    (uri,) = await weekly.records()
    async with weekly.deployment.db.transaction() as tx:
        series = await actions.lock_managed(tx, weekly.ana, weekly.series.slug)
        await actions.delete(tx, series, keeps_events=False)
    await weekly.deliver_publications()
    with pytest.raises(NotFound):
        await weekly.deployment.record(uri)
