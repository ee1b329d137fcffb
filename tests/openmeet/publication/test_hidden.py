"""What a moderator has hidden here: its record stays its author's, to leave where it is and to take back."""

import pytest

from openmeet.domain.moderation import actions
from openmeet.domain.moderation import model as moderation
from openmeet.domain.moderation.model import Subject, Thing
from openmeet.domain.users import actions as users
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_recalls import records, settle, withdraw
from tests.openmeet.town import Town


async def hide(town: Town, event_id: str) -> None:
    async with town.db.transaction() as tx:
        moderator = await users.create_person(tx, display_name="Moderator", email="moderator@example.org")
        await actions.decide(
            tx, moderator, Subject(Thing.EVENT, event_id), moderation.SubjectVisibility.HIDDEN, "Not now."
        )


@pytest.mark.parametrize("way", ["private", "unlisted", "withdrawn"])
async def test_a_hidden_event_that_its_author_takes_back_is_taken_back(town: Town, way: str):
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    await hide(town, event.id)
    await town.revise(cleo, event.slug, title="Tea, hidden")
    await settle(town, cleo)
    # Hidden here, it is not written again, and it is nobody's but hers to delete.
    assert [one["value"]["name"] for one in await records(town, EVENT)] == ["Tea"]
    if way == "withdrawn":
        await withdraw(town, cleo)
    else:
        await town.revise(cleo, event.slug, title="Tea, hidden", visibility=way)
    await settle(town, cleo)
    assert await records(town, EVENT) == []
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
