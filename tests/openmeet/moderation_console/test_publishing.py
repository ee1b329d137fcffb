"""Content that waits for moderation is not written to a repository. An existing record stays unchanged while its
subject is hidden.
"""

from openmeet.domain.moderation import policy
from openmeet.domain.moderation.model import ModeratedKind, ModerationPolicy, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, deployment

__all__ = ["deployment"]


async def decide(
    deployment: Deployment, moderator: Caller, kind: ModeratedKind, subject: str, state: SubjectVisibility
) -> None:
    async with deployment.db.transaction() as tx:
        await actions.decide(tx, moderator, Subject(kind, subject), state, "because")


async def test_a_first_event_is_published_once_a_moderator_has_released_it(deployment: Deployment):
    mo = await deployment.person("Mo", agrees=False)
    async with deployment.db.transaction() as tx:
        await policy.change(tx, ModerationPolicy(holds_first_events=True), by=mo.user_id)
    ana = await deployment.person("Ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state == "withheld"
    await decide(deployment, mo, ModeratedKind.PERSON, ana.user_id, SubjectVisibility.TRUSTED)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state == "published"


async def test_a_record_stays_while_its_event_is_hidden_and_is_updated_afterwards(deployment: Deployment):
    mo, ana = await deployment.person("Mo", agrees=False), await deployment.person("Ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from events where id = :id", id=event.id)
    await decide(deployment, mo, ModeratedKind.EVENT, event.id, SubjectVisibility.HIDDEN)
    await deployment.revise(ana, event.slug, title="Another title")
    await deployment.deliver_publications()
    assert (await deployment.record(row["record_uri"]))["name"] == "Tea in the park"
    await decide(deployment, mo, ModeratedKind.EVENT, event.id, SubjectVisibility.SHOWN)
    await deployment.revise(ana, event.slug, title="A third title")
    await deployment.deliver_publications()
    assert (await deployment.record(row["record_uri"]))["name"] == "A third title"
