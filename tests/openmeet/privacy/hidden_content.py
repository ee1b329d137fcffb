"""Further content for the town full of secrets: content hidden by a moderator or waiting for one, and a person whom the
host blocks.
"""

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.events.model import Details
from openmeet.domain.groups import administration
from openmeet.domain.moderation import actions, visibility
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject, SubjectVisibility
from openmeet.domain.safety import actions as safety
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.privacy.planted import BLOCKED, GUEST, HOST, Planted
from tests.openmeet.site_under_test import details

# Content of a group, its people and their messages. A block does not end a membership.
_OF_GROUPS = ("clubname", "clubtext", "clubalt", "clubquestion", "clubnews", "clubperson", "choirnews")


async def withhold(tx: Transaction, planted: Planted, *, is_open: bool = False) -> None:
    """Plant public content and withhold it. With ``is_open`` the same content is not withheld."""
    ana = planted.callers[HOST]
    new = Caller(await users.create_person(tx, display_name="New", email="new@example.org"), "New")
    hidden = await events.create(tx, ana, _said(planted, "hidden"))
    waiting = await events.create(tx, new, _said(planted, "waiting", is_hosts=False))
    name, text = planted.secret("hiddengroupname"), planted.secret("hiddengrouptext")
    group = await group_by(tx, ana, name=name, description=text, visibility="public")
    inside = await events.create(
        tx, ana, _said(planted, "ofhiddengroup"), group=group_of_event.as_group_of_event(group)
    )
    planted.addresses["events"] += [{"slug": event.slug} for event in (hidden, waiting, inside)]
    planted.addresses["groups"].append({**planted.addresses["groups"][-1], "slug": group.slug})
    if is_open:
        return
    planted.hidden |= {hidden.slug, waiting.slug, inside.slug, group.slug}
    for thing, subject in ((ModeratedKind.EVENT, hidden.id), (ModeratedKind.GROUP, group.id)):
        await actions.decide(tx, new.user_id, Subject(thing, subject), SubjectVisibility.HIDDEN, "A moderator's reason")
    await visibility.hold(tx, [Subject(ModeratedKind.PERSON, new.user_id)], SubjectVisibility.FIRST_EVENT)
    said = planted.secret("reported", GUEST, host=False)
    await safety.report(tx, planted.callers[GUEST], ModeratedKind.PERSON, ana.user_id, ReportReason.OTHER, said)


async def keep_away(tx: Transaction, planted: Planted) -> None:
    """A person is in Ana's groups, is invited to private events and goes to them. Then she blocks the person."""
    ana, other = planted.callers[HOST], planted.callers[BLOCKED]
    kept = await events.create(tx, ana, details(title=planted.secret("kepttitle"), visibility="private"))
    planted.addresses["events"].append({"slug": kept.slug})
    planted.hidden.add(kept.slug)
    await invitations.invite(tx, ana, kept.slug, "zqmailofblockedzq@example.org")
    await attendance.answer(tx, other, kept.slug, RsvpReply.GOING)
    for known in planted.addresses["groups"][:2]:
        link = await administration.invite_by_link(tx, ana, known["slug"], uses=1)
        await administration.accept(tx, other, link.id)
    for name in _OF_GROUPS:
        planted.for_whom[name] |= {BLOCKED}
    await safety.block(tx, ana, other.user_id)


def _said(planted: Planted, name: str, *, is_hosts: bool = True) -> Details:
    return details(
        title=planted.secret(f"{name}title", host=is_hosts),
        description=planted.secret(f"{name}text", host=is_hosts),
        venue_name=planted.secret(f"{name}venue", host=is_hosts),
        tags=planted.secret(f"{name}tag", host=is_hosts).lower(),
    )
