"""A series as a separate record, and as a rule in the record of its next date. Each has its own flag, and both are off
by default.
"""

from collections.abc import Awaitable, Callable

import pytest

from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups.model import GroupVisibility
from openmeet.domain.series import actions, cancel_dates, date_queries, detection_actions
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.apply import apply
from openmeet.network.records.collections import EVENT, SERIES, SERIES_LINK_KEY
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import INSTANCE, Deployment, deliver_all_publications, switch_flag
from tests.openmeet.ingestion.network import HERE, event_value, message, rev
from tests.openmeet.publishing.published_groups import create_group, revise_group
from tests.openmeet.publishing.weekly_series import WEEKLY_RULE, create_series_by, publish_series, records_with_cids_of
from tests.openmeet.series.detection import detect_series_of
from tests.simulation.oracle import Change

TakesBack = Callable[..., Awaitable[object]]


async def test_without_its_flag_a_series_has_no_record(deployment: Deployment):
    ana, _ = await publish_series(deployment)
    assert await records_with_cids_of(deployment, ana, SERIES) == {}


async def test_a_group_that_becomes_private_has_no_public_series(deployment: Deployment):
    """The record of the series is deleted with those of its dates, and written again if the group becomes public."""
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana)
    await create_series_by(deployment, ana, as_group_of_event(group))
    await deliver_all_publications(deployment)
    for visibility, records in ((None, 1), (GroupVisibility.PRIVATE, 0), (GroupVisibility.PUBLIC, 1)):
        if visibility is not None:
            await revise_group(deployment, ana, group, visibility=visibility)
            await deliver_all_publications(deployment)
        for collection in (SERIES, EVENT):
            assert len(await records_with_cids_of(deployment, ana, collection)) == records, (visibility, collection)


async def test_switched_on_the_series_record_is_written_and_named_by_its_date(deployment: Deployment):
    """Switching this on keeps the date's record, its URI and the answers to it."""
    ana, series = await publish_series(deployment)
    ben = await deployment.person("Ben")
    ((uri, before),) = (await records_with_cids_of(deployment, ana, EVENT)).items()
    async with deployment.db.reader() as reader:
        first = (await date_queries.stored(reader, series.id))[0].event
    answer = await deployment.answer(ben, first.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    await deliver_all_publications(deployment)
    ((series_uri, record),) = (await records_with_cids_of(deployment, ana, SERIES)).items()
    assert {name: record[name] for name in ("name", "timezone", "dtstart", "durationMinutes", "rrule")} == {
        "name": "Tea in the park",
        "timezone": "Europe/Vienna",
        "dtstart": "2026-03-07T18:00:00",
        "durationMinutes": 120,
        "rrule": [WEEKLY_RULE],
    }
    assert record["template"]["uris"][0]["uri"] == f"{INSTANCE}/series/{series.slug}"
    ((same, after),) = (await records_with_cids_of(deployment, ana, EVENT)).items()
    assert same == uri
    assert after[SERIES_LINK_KEY]["series"] == {"uri": series_uri}
    assert {name for name in after if after[name] != before.get(name)} == {
        SERIES_LINK_KEY,
        "cid",
        "openmeet.lexicon.origin",
    } - (
        {"openmeet.lexicon.origin"} if after["openmeet.lexicon.origin"] == before["openmeet.lexicon.origin"] else set()
    )
    theirs = await deployment.record((await deployment.status_of(PublicationKind.RSVP, answer.id)).uri)
    assert theirs["subject"]["uri"] == uri


async def test_exceptions_are_updated_and_fields_of_another_app_stay(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    ((uri, record),) = (await records_with_cids_of(deployment, ana, SERIES)).items()
    swap = record.pop("cid")
    app = await deployment.own_client(await deployment.identity(ana.user_id))
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
    await deployment.listen(ana.user_id)
    async with deployment.db.transaction() as tx:
        locked = await actions.lock_managed(tx, ana, series.slug)
        await cancel_dates.remove_dates(tx, locked, ["2026-03-14T18:00:00"])
    await deliver_all_publications(deployment)
    after = (await records_with_cids_of(deployment, ana, SERIES))[uri]
    assert (after["exdate"], after["com.example.color"]) == (["2026-03-14T18:00:00"], "red")


async def test_deleting_a_series_deletes_its_record_although_the_flag_is_off(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    assert len(await records_with_cids_of(deployment, ana, SERIES)) == 1
    await switch_flag(deployment, Flag.SERIES_LEXICON, is_on=False)
    assert len(await records_with_cids_of(deployment, ana, SERIES)) == 1
    async with deployment.db.transaction() as tx:
        await actions.delete(tx, await actions.lock_managed(tx, ana, series.slug), keeps_events=False)
    await deliver_all_publications(deployment)
    assert await records_with_cids_of(deployment, ana, SERIES) == {}


@pytest.mark.parametrize("takes_back", [detection_actions.undo, detection_actions.refuse], ids=["undone", "refused"])
async def test_the_record_of_a_detected_series_depends_on_its_authors_confirmation(
    deployment: Deployment, takes_back: TakesBack
):
    """The host no longer confirms the rule, so its record is deleted from their repository. It is created again when
    they confirm it again.
    """
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana = await deployment.person("Ana")
    # The first event creates their repository.
    await deployment.event(ana, title="Something else")
    await deliver_all_publications(deployment)
    did = (await deployment.identity(ana.user_id)).did
    async with deployment.db.transaction() as tx:
        days = [f"2026-04-{day:02d}T18:00:00Z" for day in (7, 14, 21, 28)]
        said = [event_value("Chess", startsAt=at, createdAt="2026-01-01T00:00:00Z") for at in days]
        changes = [Change(did, EVENT, f"chess{n}", rev(n + 1), value) for n, value in enumerate(said)]
        await apply(tx, HERE, [message(one) for one in changes])
    (found,) = await detect_series_of(deployment.db, ana.user_id)
    for _ in range(2):
        async with deployment.db.transaction() as tx:
            await detection_actions.accept(tx, ana, found.id)
        await deliver_all_publications(deployment)
        (uri,) = await records_with_cids_of(deployment, ana, SERIES)
        async with deployment.db.transaction() as tx:
            await takes_back(tx, ana, found.id)
        await deliver_all_publications(deployment)
        assert await records_with_cids_of(deployment, ana, SERIES) == {}, uri
        if takes_back is detection_actions.refuse:
            break


async def test_the_next_dates_record_has_the_rule_while_that_is_switched_on(deployment: Deployment):
    """COUNT would start again with each new start, so the equivalent UNTIL is written instead."""
    ana, _ = await publish_series(deployment)
    ((uri, before),) = (await records_with_cids_of(deployment, ana, EVENT)).items()
    assert "rrule" not in before
    await switch_flag(deployment, Flag.NATIVE_RECURRENCE)
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["rrule"] == "FREQ=WEEKLY;UNTIL=20260509T160000Z"
    await switch_flag(deployment, Flag.NATIVE_RECURRENCE, is_on=False)
    await deliver_all_publications(deployment)
    assert "rrule" not in await deployment.record(uri)
