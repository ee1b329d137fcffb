"""A deployment with reports and decisions in which every page of the moderators has content, and the paths of these
pages.
"""

from groundwork.database.transaction import Transaction
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.moderation import moderators, newcomers, policy, visibility
from openmeet.domain.moderation.model import ModeratedKind, ModerationPolicy, ReportReason, Subject, SubjectVisibility
from openmeet.domain.moderation.newcomers import EventCount
from openmeet.domain.moderation_effects import actions
from openmeet.domain.safety import actions as safety
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.browser.browsers import Deployment
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import details, event_by, person

LONG = "An evening with an unusually long title, Donaudampfschifffahrtsgesellschaftskapitän included"


async def add_moderation_examples(openmeet: Deployment) -> tuple[str, dict[str, str]]:
    """Content for each page, and no empty queue. Returns the moderator's session token and the paths."""
    async with openmeet.db.transaction() as tx:
        mo = await person(tx, "Mo")
    async with openmeet.db.transaction() as tx:
        paths = await _reported_things(tx, mo)
        # Reported before it is held for review, while other people can still see it.
        ana = await tx.fetch_one("select id from users where display_name = 'Ana Lindqvist'")
        assert ana is not None
        await visibility.release(tx, [ana["id"]], SubjectVisibility.FIRST_EVENT)
        session = await sign_in.open_session(tx, mo.user_id, SessionTransport.BROWSER)
    return session.token, paths


async def _reported_things(tx: Transaction, mo: Caller) -> dict[str, str]:
    ana, ben, cleo = [
        await person(tx, name) for name in ("Ana Lindqvist", "Ben", "Cleopatra Montgomery-Featherstonehaugh")
    ]
    await moderators.appoint(tx, mo.user_id, by=None)
    event = await event_by(tx, ana, title=LONG, description="Buy them all at https://pills.example/now\n\nCheap!")
    group = await group_by(tx, ana, name="Friends of pills")
    in_group = await events.create(tx, ana, details(title="Pills together"), group=as_group_of_event(group))
    own = await event_by(tx, mo, title="Tea of the moderator")
    words = "It sells something else than it says. " * 6
    for who in (ben, cleo):
        await safety.report(tx, who, ModeratedKind.EVENT, event.slug, ReportReason.SPAM, words)
        await safety.report(tx, who, ModeratedKind.GROUP, group.slug, ReportReason.MISLEADING, "")
    await safety.report(tx, mo, ModeratedKind.PERSON, ana.user_id, ReportReason.ABUSE, "")
    await safety.block(tx, mo, cleo.user_id)
    await safety.mute(tx, mo, Subject(ModeratedKind.PERSON, ben.user_id))
    await safety.mute(tx, mo, Subject(ModeratedKind.GROUP, group.id))
    dids = [f"did:plc:{letter * 24}" for letter in "abc"]
    await newcomers.count_new_events(tx, [EventCount(did, "spam.example", 9) for did in dids])
    await visibility.hold(tx, [Subject(ModeratedKind.DID, did) for did in dids], SubjectVisibility.BURST)
    await visibility.hold(tx, [Subject(ModeratedKind.PERSON, ana.user_id)], SubjectVisibility.FIRST_EVENT)
    step = await actions.decide(tx, mo, Subject(ModeratedKind.DID, dids[0]), SubjectVisibility.HIDDEN, "")
    await actions.undo(tx, mo, step.action_id)
    await actions.decide(
        tx, mo, Subject(ModeratedKind.HOST, "https://pds.spam.example"), SubjectVisibility.HIDDEN, "Nothing but spam."
    )
    await actions.decide(
        tx, mo, Subject(ModeratedKind.EVENT, own.id), SubjectVisibility.HIDDEN, "An example of what hosts read."
    )
    await policy.change(tx, ModerationPolicy(holds_first_events=True), by=mo.user_id)
    return {
        "report": f"/events/{in_group.slug}/report",
        "safety": "/settings/safety",
        "queue": "/moderation",
        "waiting": "/moderation/waiting",
        "hidden": "/moderation/hidden",
        "log": "/moderation/log",
        "rules": "/moderation/rules",
        "event": f"/moderation/things/event/{event.id}",
        "person": f"/moderation/things/person/{ana.user_id}",
        "own": f"/events/{own.slug}",
    }
