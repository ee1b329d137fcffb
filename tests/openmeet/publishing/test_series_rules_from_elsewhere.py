"""While the next date's record has the rule, a change of that rule in another app is an edit of the series."""

from typing import Any

import pytest

from groundwork.clock import DAY
from groundwork.errors import decode_explanation
from openmeet.domain.events import series_dates
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.series import actions, cancel_dates, queries
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import EVENT
from openmeet.network.records.reasons import RecordReason
from openmeet.recurrence.rule import format_rule
from tests.openmeet.deployment import Deployment, deliver_all_publications, switch_flag
from tests.openmeet.publishing.weekly_series import publish_series, records_with_cids_of


async def rewrite(deployment: Deployment, who: Caller, uri: str, **said: Any) -> None:
    """Another app changes these fields of the record. None removes a field."""
    app = await deployment.own_client(await deployment.identity(who.user_id))
    _, _, did, collection, rkey = uri.split("/")
    record = await deployment.record(uri)
    swap = record.pop("cid")
    changed = {name: value for name, value in (record | said).items() if value is not None}
    wish = {"repo": did, "collection": collection, "rkey": rkey, "record": changed, "swapRecord": swap}
    await app.procedure("com.atproto.repo.putRecord", wish)
    await deployment.listen(who.user_id)
    await deliver_all_publications(deployment)


async def with_rule(deployment: Deployment) -> tuple[Caller, Series, str]:
    await switch_flag(deployment, Flag.NATIVE_RECURRENCE)
    ana, series = await publish_series(deployment)
    await deployment.listen(ana.user_id)
    ((uri, record),) = (await records_with_cids_of(deployment, ana, EVENT)).items()
    assert record["rrule"] == "FREQ=WEEKLY;UNTIL=20260509T160000Z"
    return ana, series, uri


async def rule_of(deployment: Deployment, series: Series) -> tuple[str, list[str]]:
    async with deployment.db.reader() as reader:
        found = await queries.by_id(reader, series.id)
    assert found is not None
    shape = found.timing.pattern
    return "" if shape.rule is None else format_rule(shape.rule), [one.isoformat() for one in shape.left_out]


async def test_a_rule_changed_elsewhere_changes_the_series_and_is_not_rewritten(deployment: Deployment):
    ana, series, uri = await with_rule(deployment)
    await rewrite(deployment, ana, uri, rrule="FREQ=WEEKLY;INTERVAL=2;UNTIL=20260509T160000Z")
    assert await rule_of(deployment, series) == ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260509T160000Z", [])
    before = await deployment.record(uri)
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert await deployment.record(uri) == before
    assert before["rrule"] == "FREQ=WEEKLY;INTERVAL=2;UNTIL=20260509T160000Z"


async def test_a_date_excluded_there_is_excluded_here(deployment: Deployment):
    ana, series, uri = await with_rule(deployment)
    await rewrite(deployment, ana, uri, exdate=["2026-03-21T18:00:00"])
    assert await rule_of(deployment, series) == ("FREQ=WEEKLY;COUNT=10", ["2026-03-21T18:00:00"])
    assert (await deployment.record(uri))["exdate"] == ["2026-03-21T18:00:00"]


@pytest.mark.parametrize("said", [None, "FREQ=WEEKLY;UNTIL=20260509T160000Z"], ids=["none", "the same"])
async def test_a_missing_or_unchanged_rule_changes_nothing(deployment: Deployment, said: str | None):
    """An app that does not support rules can leave the rule out."""
    ana, series, uri = await with_rule(deployment)
    await rewrite(deployment, ana, uri, rrule=said, name="Tea for all")
    assert await rule_of(deployment, series) == ("FREQ=WEEKLY;COUNT=10", [])


async def test_an_invalid_rule_is_kept_for_the_host_to_read(deployment: Deployment):
    ana, series, uri = await with_rule(deployment)
    await rewrite(deployment, ana, uri, rrule="FREQ=SECONDLY")
    assert await rule_of(deployment, series) == ("FREQ=WEEKLY;COUNT=10", [])
    async with deployment.db.reader() as reader:
        (one,) = await merge_decisions.of_records(reader, [uri], ALL_ROWS)
    assert decode_explanation(one.decision.theirs) == RecordReason.THEIRS_NOT_APPLIED(
        problem=RecordReason.RULE_NOT_SUPPORTED(), record="FREQ=SECONDLY"
    )


async def test_while_switched_off_the_rule_is_a_field_of_another_app(deployment: Deployment):
    ana, series, uri = await with_rule(deployment)
    await switch_flag(deployment, Flag.NATIVE_RECURRENCE, is_on=False)
    await rewrite(deployment, ana, uri, rrule="FREQ=DAILY")
    assert await rule_of(deployment, series) == ("FREQ=WEEKLY;COUNT=10", [])


async def test_the_dates_of_a_read_only_series_are_not_sent_again(deployment: Deployment):
    """It has no rule here, so nothing in their records depends on which of them take place."""
    _, series, _ = await with_rule(deployment)
    async with deployment.db.transaction() as tx:
        await tx.execute("update event_series set is_read_only = 1 where id = :id", id=series.id)
        await series_dates.enqueue_by_policy(tx, [series.id])
        due = await tx.fetch("select subject_id from publications where kind = 'event' and state = 'due'")
    assert due == []


async def test_a_rule_from_a_later_date_on_splits_the_series(deployment: Deployment):
    """Past dates stay unchanged."""
    ana, series, _ = await with_rule(deployment)
    deployment.clock.turn(8 * DAY)
    async with deployment.db.transaction() as tx:
        await series_dates.enqueue_by_policy(tx, [series.id])
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    there = await records_with_cids_of(deployment, ana, EVENT)
    (uri,) = [uri for uri, record in there.items() if record["startsAt"] == "2026-03-14T17:00:00.000Z"]
    assert there[uri]["rrule"] == "FREQ=WEEKLY;UNTIL=20260509T160000Z"
    await rewrite(deployment, ana, uri, rrule="FREQ=WEEKLY;INTERVAL=2;UNTIL=20260509T160000Z")
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from event_series where split_from = :id", id=series.id)
        assert row is not None
        later = await queries.by_id(reader, row["id"])
    assert later is not None
    assert await rule_of(deployment, later) == ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260509T160000Z", [])
    assert later.timing.pattern.start.isoformat() == "2026-03-14T18:00:00"
    assert (await rule_of(deployment, series))[0].startswith("FREQ=WEEKLY;UNTIL=20260307")
    assert (await deployment.record(uri))["rrule"] == "FREQ=WEEKLY;INTERVAL=2;UNTIL=20260509T160000Z"


async def test_concurrent_changes_made_here_are_kept(deployment: Deployment):
    ana, series, uri = await with_rule(deployment)
    async with deployment.db.transaction() as tx:
        locked = await actions.lock_managed(tx, ana, series.slug)
        await cancel_dates.remove_dates(tx, locked, ["2026-03-14T18:00:00"])
    await rewrite(deployment, ana, uri, rrule="FREQ=DAILY;COUNT=3")
    assert await rule_of(deployment, series) == ("FREQ=WEEKLY;COUNT=10", ["2026-03-14T18:00:00"])
    after = await deployment.record(uri)
    assert (after["rrule"], after["exdate"]) == ("FREQ=WEEKLY;UNTIL=20260509T160000Z", ["2026-03-14T18:00:00"])
    async with deployment.db.reader() as reader:
        (one,) = await merge_decisions.of_records(reader, [uri], ALL_ROWS)
    assert decode_explanation(one.decision.theirs) == RecordReason.THEIRS_NOT_APPLIED(
        problem=RecordReason.SERIES_CHANGED_HERE(), record="FREQ=DAILY;COUNT=3"
    )
