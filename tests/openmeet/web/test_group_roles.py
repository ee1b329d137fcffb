"""Every role with every action through the API: the responses follow exactly the table of ``groups.rules``."""

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import actions, administration, announcements, queries
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.series import actions as series
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller, UserId
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import details, person, site_on

GROUP = {"name": "Chess club", "timeZone": "Europe/Berlin"}
EVENT = {"title": "Blitz", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}

# The roles with the permission, written out by hand: owner, admin, moderator, member (in), pending.
TABLE = {
    GroupPermission.VIEW: "oami",
    GroupPermission.SEE_MEMBERS: "oami",
    GroupPermission.CREATE_EVENT: "oam",
    GroupPermission.INVITE: "oam",
    GroupPermission.APPROVE: "oam",
    GroupPermission.REMOVE: "oam",
    GroupPermission.BAN: "oam",
    GroupPermission.SEE_LOG: "oam",
    GroupPermission.ANNOUNCE: "oam",
    GroupPermission.EDIT_ANY_EVENT: "oa",
    GroupPermission.CHANGE_ROLE: "oa",
    GroupPermission.EDIT_GROUP: "oa",
    GroupPermission.FOLLOW: "oa",
    GroupPermission.TAKE_OVER: "ami",
    GroupPermission.TRANSFER: "o",
    GroupPermission.LEAVE: "amip",
    GroupPermission.DELETE: "o",
}
# The operations for writing messages belong to the chat.
WITHOUT_OPERATION = {GroupPermission.POST}
LETTERS = dict(zip([*GroupRole, None], "oamipdlbn", strict=True))


async def add_examples(tx, role: GroupRole | None, visibility: str):
    """The group, a person in this role with a session, and people who can be decided about."""
    owner = await person(tx, "Olga")
    group = await group_by(tx, owner, join_policy="request")
    caller = owner if role is GroupRole.OWNER else await person(tx, "Carl")
    if role in {GroupRole.ADMIN, GroupRole.MODERATOR, GroupRole.MEMBER, GroupRole.LEFT, GroupRole.BANNED}:
        link = await administration.invite_by_link(tx, owner, group.slug, uses=1)
        await administration.accept(tx, caller, link.id)
    match role:
        case GroupRole.ADMIN | GroupRole.MODERATOR:
            await administration.change_role(tx, owner, group.slug, caller.user_id, role)
        case GroupRole.LEFT:
            await actions.leave(tx, caller, group.slug)
        case GroupRole.BANNED:
            await administration.ban(tx, owner, group.slug, caller.user_id)
        case GroupRole.PENDING | GroupRole.DECLINED:
            await actions.join(tx, caller, group.slug)
            if role is GroupRole.DECLINED:
                await administration.decide(tx, owner, group.slug, [caller.user_id], lets_in=False)
    people = {name: await add_member(tx, group, owner, name) for name in ("Rita", "Bert", "Rosa")}
    people["Petra"] = await person(tx, "Petra")
    await actions.join(tx, people["Petra"], group.slug)
    event = await events.create(tx, people["Rita"], details(), group=as_group_of_event(group))
    await announcements.announce(tx, owner, group.slug, "Welcome.")
    if visibility != "public":
        await tx.execute("update groups set visibility = :visibility", visibility=visibility)
    saved = await queries.find_member(tx, group.id, caller.user_id)
    assert (saved.role if saved else None) is role
    session = await sign_in.open_session(tx, caller.user_id, SessionTransport.API)
    return group, event, {name: one.user_id for name, one in people.items()}, session.token


def requests(group, event, people, caller_is_owner):
    """One request for each action, with the requests that end something at the end."""
    path = f"/api/groups/{group.slug}"
    heir = people["Rosa"]
    last = {
        GroupPermission.LEAVE: ("DELETE", f"{path}/membership", None),
        GroupPermission.DELETE: ("DELETE", path, None),
    }
    return {
        GroupPermission.VIEW: ("GET", f"{path}/announcements", None),
        GroupPermission.SEE_MEMBERS: ("GET", f"{path}/members", None),
        GroupPermission.SEE_LOG: ("GET", f"{path}/log", None),
        GroupPermission.CREATE_EVENT: ("POST", "/api/events", EVENT | {"group": group.slug}),
        GroupPermission.INVITE: ("POST", f"{path}/invitations", {"uses": 1}),
        GroupPermission.APPROVE: ("POST", f"{path}/decisions", {"userIds": [people["Petra"]], "letsIn": True}),
        GroupPermission.ANNOUNCE: ("POST", f"{path}/announcements", {"text": "Hello."}),
        GroupPermission.EDIT_ANY_EVENT: ("PUT", f"/api/events/{event.slug}", EVENT),
        GroupPermission.CHANGE_ROLE: (
            "PUT",
            f"{path}/members/{heir}",
            {"role": "moderator" if caller_is_owner else "member"},
        ),
        GroupPermission.FOLLOW: ("POST", f"{path}/follows", {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}),
        GroupPermission.REMOVE: ("DELETE", f"{path}/members/{people['Rita']}", None),
        GroupPermission.BAN: ("PUT", f"{path}/bans/{people['Bert']}", None),
        GroupPermission.TAKE_OVER: ("PUT", f"{path}/ownership/succession", None),
        GroupPermission.TRANSFER: ("PUT", f"{path}/ownership/offer", {"userId": heir}),
        GroupPermission.EDIT_GROUP: ("PUT", f"{path}/address", {"address": "chess-club"}),
        # People who have left no longer see a private group, and nobody sees a deleted one.
        **(last if caller_is_owner else dict(reversed(last.items()))),
    }


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("role", [*GroupRole, None])
async def test_every_role_with_every_action(make_sqlite, clock, role, visibility):
    """Permitted actions succeed or are refused by a rule of their own. All others get 403, or 404 if the group is
    hidden.
    """
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        group, event, people, token = await add_examples(tx, role, visibility)
    asked = requests(group, event, people, role is GroupRole.OWNER)
    assert set(asked) == set(TABLE) == set(GroupPermission) - WITHOUT_OPERATION
    is_hidden = visibility == "private" and LETTERS[role] not in "oami"
    found = {}
    async with site.browser() as browser:
        for action, (method, path, body) in asked.items():
            answer = await browser.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})
            found[action] = answer.status_code
    expected = {
        action: _expected(action, role, is_hidden=is_hidden, is_public=visibility == "public") for action in asked
    }
    assert {action: status for action, status in found.items() if status not in expected[action]} == {}


def what_they_made(event, draft, series):
    """Actions that publish something new in the group, by the person who created the subject in this group with an
    earlier role.
    """
    later = {"startsLocal": "2026-12-05T18:00"}
    edit = {"scope": "all", "title": "Otherwise"}
    return {
        "publish a draft": ("POST", f"/api/events/{draft}/publish", {}),
        "plan an edit": ("POST", f"/api/series/{series}/plan", edit),
        "edit a series": ("POST", f"/api/series/{series}/edit", edit),
        "undo it": ("POST", f"/api/series/{series}/undo", None),
        "add a date": ("POST", f"/api/series/{series}/dates", later),
        "bring a series back": ("POST", f"/api/series/{series}/resume", None),
        "let an event come again": ("POST", f"/api/events/{event}/series", {"recurrence": "FREQ=WEEKLY"}),
    }


def what_ends_it(series):
    """Actions that remove something, which the creator may always do."""
    return {
        "cancel a series": ("POST", f"/api/series/{series}/cancel", {"reason": "No more."}),
        "delete a series": ("DELETE", f"/api/series/{series}?keepEvents=false", None),
    }


@pytest.mark.parametrize("role", [*GroupRole, None])
async def test_continuing_ones_own_work_needs_the_present_role(make_sqlite, clock, role):
    """People who may create events in the group can continue to edit theirs. People who may no longer create events can
    only end theirs.
    """
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        group, _, _, token = await add_examples(tx, role, "public")
        session = await tx.fetch_one("select user_id from sessions where kind = 'api'")
        caller = Caller(UserId(session["user_id"]), "Carl")
        inside = as_group_of_event(group)
        event = await events.create(tx, caller, details(), group=inside)
        draft = await events.create(tx, caller, details(), group=inside, is_draft=True)
        made = await series.create(tx, caller, Content("Practice"), weekly(), group=inside)
    goes_on, ends = what_they_made(event.slug, draft.slug, made.slug), what_ends_it(made.slug)
    found = {}
    async with site.browser() as browser:
        for name, (method, path, body) in (goes_on | ends).items():
            answer = await browser.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})
            found[name] = answer.status_code
    may = LETTERS[role] in TABLE[GroupPermission.CREATE_EVENT]
    wrong = {name: found[name] for name in goes_on if (found[name] in {200, 201}) is not may}
    assert wrong == {}
    assert {found[name] for name in goes_on} <= ({200, 201} if may else {403})
    assert {found[name] for name in ends} <= {200, 204}


def _expected(action: GroupPermission, role: GroupRole | None, *, is_hidden: bool, is_public: bool) -> set[int]:
    if is_hidden:
        return {404}
    if LETTERS[role] not in TABLE[action]:
        # The owner has to hand the group over first, which is a rule and not a missing permission. Leaving twice
        # changes nothing.
        return {(GroupPermission.LEAVE, GroupRole.OWNER): {422}, (GroupPermission.LEAVE, GroupRole.LEFT): {204}}.get(
            (action, role), {403}
        )
    match action:
        case GroupPermission.TAKE_OVER:
            return {422}  # the owner is in the group
        case GroupPermission.EDIT_GROUP if not is_public:
            return {422}  # only public groups can choose a slug
        case _:
            return {200, 201, 204}
