"""In the town full of secrets: what a moderator has hidden, what waits, and somebody whom the host keeps away."""

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_events
from openmeet.domain.events.model import Details
from openmeet.domain.groups import administration
from openmeet.domain.moderation import actions, visibility
from openmeet.domain.moderation.model import ReportReason, Subject, SubjectVisibility, Thing
from openmeet.domain.safety import actions as safety
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.privacy.planted import BLOCKED, GUEST, HOST, Planted
from tests.openmeet.site_under_test import details

# Of a group, its people and what they say to each other: members stay members, whoever keeps them away.
_OF_GROUPS = ("clubname", "clubtext", "clubalt", "clubquestion", "clubnews", "clubperson", "choirnews")


async def withhold(tx: Transaction, town: Planted, *, is_open: bool = False) -> None:
    """All of it public, and withheld unless ``is_open``: the same words in the same things, shown."""
    ana = town.callers[HOST]
    new = Caller(await users.create_person(tx, display_name="New", email="new@example.org"), "New")
    hidden = await events.create(tx, ana, _said(town, "hidden"))
    waiting = await events.create(tx, new, _said(town, "waiting", is_hosts=False))
    name, text = town.secret("hiddengroupname"), town.secret("hiddengrouptext")
    group = await group_by(tx, ana, name=name, description=text, visibility="public")
    inside = await events.create(tx, ana, _said(town, "ofhiddengroup"), group=group_events.of_event(group))
    town.addresses["events"] += [{"slug": event.slug} for event in (hidden, waiting, inside)]
    town.addresses["groups"].append({**town.addresses["groups"][-1], "slug": group.slug})
    if is_open:
        return
    town.hidden |= {hidden.slug, waiting.slug, inside.slug, group.slug}
    for thing, subject in ((Thing.EVENT, hidden.id), (Thing.GROUP, group.id)):
        await actions.decide(tx, new.user_id, Subject(thing, subject), SubjectVisibility.HIDDEN, "A moderator's reason")
    await visibility.hold(tx, [Subject(Thing.PERSON, new.user_id)], SubjectVisibility.FIRST_EVENT)
    said = town.secret("reported", GUEST, host=False)
    await safety.report(tx, town.callers[GUEST], Thing.PERSON, ana.user_id, ReportReason.OTHER, said)


async def keep_away(tx: Transaction, town: Planted) -> None:
    """Somebody is in Ana's groups, is invited to what is private and goes there; then she blocks them."""
    ana, other = town.callers[HOST], town.callers[BLOCKED]
    kept = await events.create(tx, ana, details(title=town.secret("kepttitle"), visibility="private"))
    town.addresses["events"].append({"slug": kept.slug})
    town.hidden.add(kept.slug)
    await invitations.invite(tx, ana, kept.slug, "zqmailofblockedzq@example.org")
    await attendance.answer(tx, other, kept.slug, RsvpReply.GOING)
    for known in town.addresses["groups"][:2]:
        link = await administration.invite_by_link(tx, ana, known["slug"], uses=1)
        await administration.accept(tx, other, link.id)
    for name in _OF_GROUPS:
        town.for_whom[name] |= {BLOCKED}
    await safety.block(tx, ana, other.user_id)


def _said(town: Planted, name: str, *, is_hosts: bool = True) -> Details:
    return details(
        title=town.secret(f"{name}title", host=is_hosts),
        description=town.secret(f"{name}text", host=is_hosts),
        venue_name=town.secret(f"{name}venue", host=is_hosts),
        tags=town.secret(f"{name}tag", host=is_hosts).lower(),
    )
