"""An event or series is handed over and back. In between, its first owner edits their record in another app: what was
decided here is written into that record again, and the owner can still choose their edit.
"""

import pytest

from groundwork.clock import SECOND
from openmeet.domain.merge_decisions.model import MergeReason, MergeSide
from openmeet.domain.series import actions as series_actions
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import merge_review
from openmeet.network.records.collections import SERIES
from tests.openmeet.deployment import Deployment, deliver_all_publications, records_of, switch_flag
from tests.openmeet.publishing.event_hosts import current_event, hand_over_event, publish_event_with_co_host
from tests.openmeet.publishing.groups_and_series import hand_over_subject
from tests.openmeet.publishing.weekly_series import publish_series


async def edit_elsewhere(deployment: Deployment, owner: Caller, uri: str, **said: str) -> None:
    """The owner's other app changes the record, and this site reads it."""
    deployment.clock.turn(SECOND)
    app = await deployment.own_client(await deployment.identity(owner.user_id))
    _, _, did, collection, rkey = uri.split("/")
    record = await deployment.record(uri)
    record.pop("cid")
    wish = {"repo": did, "collection": collection, "rkey": rkey, "record": record | said}
    await app.procedure("com.atproto.repo.putRecord", wish)
    await deployment.listen(owner.user_id)
    await deliver_all_publications(deployment)


@pytest.mark.parametrize("heir_agrees", [True, False])
async def test_the_first_owner_can_choose_their_edit_of_the_event(deployment: Deployment, heir_agrees: bool):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=heir_agrees)
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.listen(ana.user_id)
    await edit_elsewhere(deployment, ana, old, name="Coffee")
    assert (await current_event(deployment, event)).title == event.title
    await hand_over_event(deployment, event, ben, ana)
    await deployment.listen(ana.user_id)
    assert (await deployment.record(old))["name"] == event.title
    async with deployment.db.reader() as reader:
        _, (kept,) = await merge_review.merged(reader, ana, event.slug)
        assert [one.slug for one in await merge_review.unreviewed(reader, ana.user_id)] == [event.slug]
    decision = kept.decision
    assert (decision.field, decision.ours, decision.theirs) == ("name", event.title, "Coffee")
    assert (decision.policy, decision.result) == (MergeReason.FORMER_OWNER, MergeSide.OURS)
    async with deployment.db.transaction() as tx:
        await merge_review.choose(
            tx, ana, event.slug, field="name", theirs_rev=kept.theirs_rev, choice=MergeSide.THEIRS
        )
    await deliver_all_publications(deployment)
    assert (await deployment.record(old))["name"] == "Coffee"


async def test_what_the_second_owner_edited_needs_no_decision(deployment: Deployment):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    await edit_elsewhere(deployment, ana, old, name="Coffee", description="Bring cups.")
    await deployment.revise(ben, event.slug, title="Ben's tea")
    await hand_over_event(deployment, event, ben, ana)
    async with deployment.db.reader() as reader:
        (merges,) = await merge_review.unreviewed(reader, ana.user_id)
    assert merges.fields == ("description",)


async def test_the_first_owner_can_choose_their_edit_of_the_series(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    ben = await deployment.person("Ben")
    async with deployment.db.transaction() as tx:
        await series_actions.follow(tx, ben, series.slug)
        await series_actions.follow(tx, ana, series.slug)
    await deliver_all_publications(deployment)
    (old,) = await records_of(deployment, ana, SERIES)
    await hand_over_subject(deployment, series, ana, ben)
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    await edit_elsewhere(deployment, ana, old, name="Coffee")
    await hand_over_subject(deployment, series, ben, ana)
    await deliver_all_publications(deployment)
    assert (await deployment.record(old))["name"] == series.content.title
    async with deployment.db.reader() as reader:
        _, (kept,) = await merge_review.merged_into_series(reader, ana, series.slug)
    assert (kept.decision.field, kept.decision.theirs) == ("name", "Coffee")
    async with deployment.db.transaction() as tx:
        await merge_review.choose_for_series(
            tx, ana, series.slug, field="name", theirs_rev=kept.theirs_rev, choice=MergeSide.THEIRS
        )
    await deliver_all_publications(deployment)
    assert (await deployment.record(old))["name"] == "Coffee"
