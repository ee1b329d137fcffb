"""Content that a moderator has hidden on this site: its record belongs to the author, who can leave it or retract it."""

import pytest

from openmeet.domain.moderation import actions
from openmeet.domain.moderation import model as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.users import actions as users
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.consent import withdraw_consent
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.other_app import cleos_records


async def hide(deployment: Deployment, event_id: str) -> None:
    async with deployment.db.transaction() as tx:
        moderator = await users.create_person(tx, display_name="Moderator", email="moderator@example.org")
        await actions.decide(
            tx, moderator, Subject(ModeratedKind.EVENT, event_id), moderation.SubjectVisibility.HIDDEN, "Not now."
        )


@pytest.mark.parametrize("way", ["private", "unlisted", "withdrawn"])
async def test_an_author_can_retract_a_hidden_event(deployment: Deployment, way: str):
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    await hide(deployment, event.id)
    await deployment.revise(cleo, event.slug, title="Tea, hidden")
    await publish_and_listen_for_hours(deployment, cleo)
    # A hidden event is not written again, and only its author can delete the record.
    assert [one["value"]["name"] for one in await cleos_records(deployment, EVENT)] == ["Tea"]
    if way == "withdrawn":
        await withdraw_consent(deployment, cleo)
    else:
        await deployment.revise(cleo, event.slug, title="Tea, hidden", visibility=way)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED


async def test_an_author_learns_that_a_moderator_has_hidden_their_event(deployment: Deployment):
    """Not that a moderator must still look at it."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await hide(deployment, event.id)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).reason == PublicationReason.HIDDEN()
