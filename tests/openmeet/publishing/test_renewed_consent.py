"""Consent is withdrawn and given again while people answer on this site and in other apps. In the end every record has
the latest answer.
"""

from collections.abc import Awaitable

import pytest

from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import cancel_dates
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, MEMBERSHIP, RSVP, SERIES
from tests.openmeet.deployment import Deployment, records_in_repository, records_of, switch_flag
from tests.openmeet.publishing.answers import answer_in_app, answer_words_in, only_answer_status, publish_going_answer
from tests.openmeet.publishing.consent import renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.deliveries import WAYS_TO_INGEST, ingest_by, publish_and_backfill_for_minutes
from tests.openmeet.publishing.published_groups import create_group, let_into_group, revise_group, show_membership
from tests.openmeet.publishing.weekly_series import publish_series

# W: withdraws consent, A: agrees again, D: answers "declined" on this site, T: answers "interested" in another app, X:
# deletes that answer, H: it is ingested.
ORDERS = (
    *("WTDHA", "WTDAH", "WDATH", "TWDHA", "TDWHA", "TDWAH", "TWAHD"),
    *("DTWAH", "DWTAH", "WDTHA", "WDTAH", "DTWHA"),
    *("TWDXHA", "TDWXAH", "DTWAXH", "WTDHAX"),
)


@pytest.mark.parametrize("how", WAYS_TO_INGEST)
@pytest.mark.parametrize("pays", ["at once", "when consent ends", "in the end"])
@pytest.mark.parametrize("order", ORDERS)
async def test_the_latest_answer_is_in_the_record_that_counts(deployment: Deployment, order: str, pays: str, how: str):
    """The latest answer, given on this site or in another app, is shown on this site, and other apps find it in the
    newest record.
    """
    cleo, did, event, uri = await publish_going_answer(deployment)
    theirs = ""
    for step in order:
        deployment.clock.turn(MINUTE)
        match step:
            case "W":
                await withdraw_consent(deployment, cleo)
            case "A":
                await renew_cleos_consent(deployment, cleo)
            case "D":
                await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
            case "T":
                theirs = await answer_in_app(
                    deployment, "cleo", did, uri, "interested", format_datetime(deployment.clock.now())
                )
            case "X" if theirs in await records_in_repository(deployment, did, RSVP):
                await deleted_elsewhere(deployment, did, theirs)
            case "H":
                await ingest_by(deployment, cleo, did, how)
        if pays == "at once" or (pays == "when consent ends" and step == "W"):
            await deployment.deliver_publications()
    for _ in range(3):
        deployment.clock.turn(MINUTE)
        await deployment.deliver_publications()
        await deployment.listen(cleo.user_id)
    await publish_and_backfill_for_minutes(deployment, did)
    is_declined = "X" in order or order.index("T") < order.index("D")
    assert await only_answer_status(deployment) == ("declined" if is_declined else "interested")
    words = await answer_words_in(deployment, did)
    newest = max(words, key=lambda one: created[one]) if (created := await written_at(deployment, did)) else None
    assert newest is None or words[newest] == ("notgoing" if is_declined else "interested")
    if "X" not in order:
        assert newest is not None


@pytest.mark.parametrize("first_deleted", [0, 1])
async def test_an_unsent_answer_is_overruled_as_long_as_a_later_one_exists(deployment: Deployment, first_deleted: int):
    """The person declined on this site, and two other apps wrote "interested" before that was sent. "Declined" counts
    again only after both records are deleted.
    """
    cleo, did, event, uri = await publish_going_answer(deployment)
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    theirs = []
    for _ in range(2):
        deployment.clock.turn(MINUTE)
        theirs.append(
            await answer_in_app(deployment, "cleo", did, uri, "interested", format_datetime(deployment.clock.now()))
        )
    await deployment.listen(cleo.user_id)
    assert await only_answer_status(deployment) == "interested"
    await deleted_elsewhere(deployment, did, theirs.pop(first_deleted))
    await deployment.listen(cleo.user_id)
    assert await only_answer_status(deployment) == "interested"
    await deleted_elsewhere(deployment, did, theirs.pop())
    await deployment.listen(cleo.user_id)
    assert await only_answer_status(deployment) == "declined"
    await publish_and_backfill_for_minutes(deployment, did)
    assert (await only_answer_status(deployment), set((await answer_words_in(deployment, did)).values())) == (
        "declined",
        {"notgoing"},
    )


async def deleted_elsewhere(deployment: Deployment, did: Did, uri: str) -> None:
    app = await deployment.stranger("cleo")
    body = {"repo": did, "collection": RSVP, "rkey": uri.rpartition("/")[2]}
    await app.procedure("com.atproto.repo.deleteRecord", body)


async def written_at(deployment: Deployment, did: Did) -> dict[str, str]:
    """``createdAt`` of the answers in a repository, by URI."""
    return {
        uri: (await deployment.record(uri))["createdAt"] for uri in await records_in_repository(deployment, did, RSVP)
    }


async def consent_comes_back(
    deployment: Deployment, who: Caller, change: Awaitable[object], *, is_delivered_between: bool
) -> None:
    """Withdraw consent, make the change and give consent again. Then deliver all jobs."""
    for step in (withdraw_consent(deployment, who), change, renew_cleos_consent(deployment, who)):
        await step
        if is_delivered_between:
            deployment.clock.turn(MINUTE)
            await deployment.deliver_publications()
    for _ in range(3):
        deployment.clock.turn(MINUTE)
        await deployment.deliver_publications()
        await deployment.listen(who.user_id)


@pytest.mark.parametrize("is_delivered_between", [True, False])
async def test_an_event_changed_without_consent_is_published_as_it_is(
    deployment: Deployment, *, is_delivered_between: bool
):
    cleo = await deployment.connected("cleo")
    event = await deployment.event(cleo, title="Chess")
    await deployment.deliver_publications()
    (uri,) = await records_of(deployment, cleo, EVENT)
    change = deployment.revise(cleo, event.slug, title="Go")
    await consent_comes_back(deployment, cleo, change, is_delivered_between=is_delivered_between)
    assert {one: record["name"] for one, record in (await records_of(deployment, cleo, EVENT)).items()} == {uri: "Go"}


@pytest.mark.parametrize("is_delivered_between", [True, False])
async def test_a_series_changed_without_consent_is_published_as_it_is(
    deployment: Deployment, *, is_delivered_between: bool
):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    ((uri, before),) = (await records_of(deployment, ana, SERIES)).items()
    assert "exdate" not in before
    change = leave_out(deployment, ana, series, "2026-03-14T18:00:00")
    await consent_comes_back(deployment, ana, change, is_delivered_between=is_delivered_between)
    ((same, after),) = (await records_of(deployment, ana, SERIES)).items()
    assert (same, after["exdate"]) == (uri, ["2026-03-14T18:00:00"])


async def leave_out(deployment: Deployment, owner: Caller, series: Series, date: str) -> None:
    async with deployment.db.transaction() as tx:
        await cancel_dates.remove_dates(tx, await series_actions.lock_managed(tx, owner, series.slug), [date])


@pytest.mark.parametrize("is_delivered_between", [True, False])
async def test_a_group_and_its_members_are_published_as_they_are_now(
    deployment: Deployment, *, is_delivered_between: bool
):
    """After both have agreed again, the member's record and the group's record about the member have the group's new
    URI.
    """
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    cleo, ben = await deployment.connected("cleo"), await deployment.connected("ben")
    group = await create_group(deployment, cleo)
    await let_into_group(deployment, cleo, group, ben)
    await show_membership(deployment, ben, group)
    (before,) = await records_of(deployment, cleo, GROUP)
    change = revise_group(deployment, cleo, group, name="Go club")
    await consent_comes_back(deployment, cleo, change, is_delivered_between=is_delivered_between)
    await consent_comes_back(
        deployment, ben, deployment.deliver_publications(), is_delivered_between=is_delivered_between
    )
    ((uri, record),) = (await records_of(deployment, cleo, GROUP)).items()
    assert (uri, record["name"]) == (before, "Go club")
    ((_, statement),) = (await records_of(deployment, ben, MEMBERSHIP)).items()
    assert statement["group"] == uri
    assert [one["group"] for one in (await records_of(deployment, cleo, ACCEPTANCE)).values()] == [uri]
