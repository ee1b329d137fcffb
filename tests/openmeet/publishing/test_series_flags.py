"""The dates of a series that other apps read, by flags and policy: each date at most once, for readers that support
recurrence rules and for those that do not.
"""

from collections import Counter
from datetime import datetime
from itertools import product

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.data.model import Value
from groundwork.clock import DAY, Instant
from openmeet.domain.attendance import event_hosting
from openmeet.domain.series import date_queries, record_settings, tasks
from openmeet.domain.series.model import PublishPolicy
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import EVENT, SERIES, SERIES_LINK_KEY
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.series import read_native
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import parse_date
from openmeet.recurrence.wall_time import local_of
from tests.openmeet.deployment import Deployment, deliver_all_publications, deployment_on_each, details, switch_flag
from tests.openmeet.publishing.weekly_series import SATURDAYS, VIENNA, change_publish_policy, create_series

__all__ = ["deployment_on_each"]


AHEAD = SATURDAYS[:8]  # two months


async def events(deployment: Deployment, who: Caller) -> list[dict[str, Value]]:
    return [one["value"] for one in await _listed(deployment, who, EVENT)]


async def _listed(deployment: Deployment, who: Caller, collection: str) -> list[dict]:
    did = (await deployment.identity(who.user_id)).did
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    answer = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
    return answer["records"]


def dates_said(record: dict[str, Value]) -> list[datetime]:
    """The dates, in local time, that a reader that supports rules finds in this record. None if it is cancelled."""
    read = read_event(EVENT, record, rkey="", indexed_at=Instant(0)).event
    assert read.starts_at is not None
    if record["status"] == f"{EVENT}#cancelled":
        assert "rrule" not in record
        return []
    found = read_native(record, read.name, "", VIENNA, read.starts_at)
    if found is None:
        return [local_of(read.starts_at, VIENNA).replace(tzinfo=None)]
    ahead = expansion.following(found.timing.pattern, Instant(read.starts_at - DAY), 100)
    return [local_of(one.at, VIENNA).replace(tzinfo=None) for one in ahead]


async def read_by_rules(deployment: Deployment, who: Caller) -> dict[datetime, int]:
    """How often a reader that supports rules finds each date."""
    return Counter(at for record in await events(deployment, who) for at in dates_said(record))


@pytest.mark.parametrize(
    ("policy", "flags"),
    list(
        product(
            PublishPolicy,
            [
                (),
                (Flag.NATIVE_RECURRENCE,),
                (Flag.SERIES_LEXICON,),
                (Flag.NATIVE_RECURRENCE, Flag.SERIES_LEXICON),
            ],
        )
    ),
)
async def test_each_date_is_published_once(deployment: Deployment, policy: PublishPolicy, flags: tuple[Flag, ...]):
    """Each date is published once for every combination of flags and policy. The first record of a date names the
    series record, if there is one.
    """
    await switch_flag(deployment, *flags)
    ana, series = await create_series(deployment)
    if policy is not PublishPolicy.NEXT:
        async with deployment.db.transaction() as tx:
            await record_settings.change_series(tx, ana, series.slug, None, policy)
    await deliver_all_publications(deployment)
    told = await read_by_rules(deployment, ana)
    match policy:
        case PublishPolicy.NONE:
            assert told == {}
        case PublishPolicy.WINDOW:
            assert told == dict.fromkeys(AHEAD, 1)
            assert not any("rrule" in one for one in await events(deployment, ana))
        case PublishPolicy.NEXT:
            expected = SATURDAYS if Flag.NATIVE_RECURRENCE in flags else SATURDAYS[:1]
            assert told == dict.fromkeys(expected, 1)
    own = [one["uri"] for one in await _listed(deployment, ana, SERIES)]
    assert len(own) == (Flag.SERIES_LEXICON in flags and policy is not PublishPolicy.NONE)
    named = [{"uri": uri} for uri in own]
    assert all([one[SERIES_LINK_KEY].get("series")] == (named or [None]) for one in await events(deployment, ana))
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select max(writes) as writes from publications where kind = 'event'")
    # Each record is written once: none is sent before the record that it names.
    assert row is not None
    assert (row["writes"] or 0) <= 1


async def test_each_date_is_published_once_after_a_change_of_policy(deployment_on_each: Deployment):
    """When only the next date is to be published, dates that have their own record stay published, and the rule
    excludes them.
    """
    await switch_flag(deployment_on_each, Flag.NATIVE_RECURRENCE)
    ana, series = await create_series(deployment_on_each)
    await deliver_all_publications(deployment_on_each)
    for policy in (PublishPolicy.WINDOW, PublishPolicy.NEXT, PublishPolicy.WINDOW):
        await change_publish_policy(deployment_on_each, ana, series, policy)
        told = await read_by_rules(deployment_on_each, ana)
        assert set(told.values()) == {1}
        assert set(told) == set(SATURDAYS if policy is PublishPolicy.NEXT else AHEAD)


async def test_the_rule_moves_to_the_next_date(deployment_on_each: Deployment):
    """The past date stays as a single event, without the rule."""
    await switch_flag(deployment_on_each, Flag.NATIVE_RECURRENCE)
    ana, _ = await create_series(deployment_on_each)
    await deliver_all_publications(deployment_on_each)
    deployment_on_each.clock.turn(7 * DAY)
    await tasks.complete_dates(deployment_on_each.db)
    await deliver_all_publications(deployment_on_each)
    assert await read_by_rules(deployment_on_each, ana) == dict.fromkeys(SATURDAYS, 1)
    assert sorted("rrule" in one for one in await events(deployment_on_each, ana)) == [False, True]


async def test_cancelled_and_moved_dates_are_not_in_the_rule(deployment_on_each: Deployment):
    """The rule has no date at the former time of a moved date, and a moved date does not move the others."""
    await switch_flag(deployment_on_each, Flag.NATIVE_RECURRENCE)
    ana, series = await create_series(deployment_on_each)
    await deliver_all_publications(deployment_on_each)
    async with deployment_on_each.db.reader() as reader:
        stored = [held.event for held in await date_queries.stored(reader, series.id)]
    async with deployment_on_each.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, stored[2].slug, "Rain")
    async with deployment_on_each.db.transaction() as tx:
        await event_hosting.revise(tx, ana, stored[3].slug, details(starts="2026-03-29T11:00", ends="2026-03-29T13:00"))
    await deliver_all_publications(deployment_on_each)
    there = [at for at in SATURDAYS if at not in (SATURDAYS[2], SATURDAYS[3])]
    assert await read_by_rules(deployment_on_each, ana) == dict.fromkeys(there, 1)
    async with deployment_on_each.db.transaction() as tx:
        await event_hosting.revise(tx, ana, stored[0].slug, details(starts="2026-03-08T11:00", ends="2026-03-08T13:00"))
    await deliver_all_publications(deployment_on_each)
    assert await read_by_rules(deployment_on_each, ana) == {parse_date("2026-03-08T11:00", VIENNA): 1}
