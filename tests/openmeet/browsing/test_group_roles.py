"""Every role with every action, asked through the API: the table of ``groups.rules`` is what a client meets."""

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.events.group_events import of_event
from openmeet.domain.groups import actions, administration, announcements, queries
from openmeet.domain.groups.model import Role
from openmeet.domain.groups.rules import Action
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Template
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionKind
from openmeet.domain.users.model import Caller, UserId
from tests.openmeet.groups.people import group_by, member
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import details, person, site_on

GROUP = {"name": "Chess club", "timeZone": "Europe/Berlin"}
EVENT = {"title": "Blitz", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}

# Who may, written out by hand: owner, admin, moderator, member (in), pending.
TABLE = {
    Action.VIEW: "oami",
    Action.SEE_MEMBERS: "oami",
    Action.CREATE_EVENT: "oam",
    Action.INVITE: "oam",
    Action.APPROVE: "oam",
    Action.REMOVE: "oam",
    Action.BAN: "oam",
    Action.SEE_LOG: "oam",
    Action.ANNOUNCE: "oam",
    Action.EDIT_ANY_EVENT: "oa",
    Action.CHANGE_ROLE: "oa",
    Action.EDIT_GROUP: "oa",
    Action.FOLLOW: "oa",
    Action.TAKE_OVER: "ami",
    Action.TRANSFER: "o",
    Action.LEAVE: "amip",
    Action.DELETE: "o",
}
# Writing has its operations with the chat.
WITHOUT_OPERATION = {Action.POST}
LETTERS = dict(zip([*Role, None], "oamipdlbn", strict=True))


async def furnished(tx, role: Role | None, visibility: str):
    """The group, somebody in this role with a session, and people about whom to decide."""
    owner = await person(tx, "Olga")
    group = await group_by(tx, owner, join_policy="request")
    caller = owner if role is Role.OWNER else await person(tx, "Carl")
    if role in {Role.ADMIN, Role.MODERATOR, Role.MEMBER, Role.LEFT, Role.BANNED}:
        link = await administration.invite_by_link(tx, owner, group.slug, uses=1)
        await administration.accept(tx, caller, link.id)
    match role:
        case Role.ADMIN | Role.MODERATOR:
            await administration.change_role(tx, owner, group.slug, caller.user_id, role)
        case Role.LEFT:
            await actions.leave(tx, caller, group.slug)
        case Role.BANNED:
            await administration.ban(tx, owner, group.slug, caller.user_id)
        case Role.PENDING | Role.DECLINED:
            await actions.join(tx, caller, group.slug)
            if role is Role.DECLINED:
                await administration.decide(tx, owner, group.slug, [caller.user_id], lets_in=False)
    people = {name: await member(tx, group, owner, name) for name in ("Rita", "Bert", "Rosa")}
    people["Petra"] = await person(tx, "Petra")
    await actions.join(tx, people["Petra"], group.slug)
    event = await events.create(tx, people["Rita"], details(), group=of_event(group))
    await announcements.announce(tx, owner, group.slug, "Welcome.")
    if visibility != "public":
        await tx.execute("update groups set visibility = :visibility", visibility=visibility)
    saved = await queries.find_member(tx, group.id, caller.user_id)
    assert (saved.role if saved else None) is role
    session = await sign_in.open_session(tx, caller.user_id, SessionKind.API)
    return group, event, {name: one.user_id for name, one in people.items()}, session.token


def requests(group, event, people, caller_is_owner):
    """One request for each action, the ones that end something last."""
    path = f"/api/groups/{group.slug}"
    heir = people["Rosa"]
    last = {Action.LEAVE: ("DELETE", f"{path}/membership", None), Action.DELETE: ("DELETE", path, None)}
    return {
        Action.VIEW: ("GET", f"{path}/announcements", None),
        Action.SEE_MEMBERS: ("GET", f"{path}/members", None),
        Action.SEE_LOG: ("GET", f"{path}/log", None),
        Action.CREATE_EVENT: ("POST", "/api/events", EVENT | {"group": group.slug}),
        Action.INVITE: ("POST", f"{path}/invitations", {"uses": 1}),
        Action.APPROVE: ("POST", f"{path}/decisions", {"userIds": [people["Petra"]], "letsIn": True}),
        Action.ANNOUNCE: ("POST", f"{path}/announcements", {"text": "Hello."}),
        Action.EDIT_ANY_EVENT: ("PUT", f"/api/events/{event.slug}", EVENT),
        Action.CHANGE_ROLE: ("PUT", f"{path}/members/{heir}", {"role": "moderator" if caller_is_owner else "member"}),
        Action.FOLLOW: ("POST", f"{path}/follows", {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}),
        Action.REMOVE: ("DELETE", f"{path}/members/{people['Rita']}", None),
        Action.BAN: ("PUT", f"{path}/bans/{people['Bert']}", None),
        Action.TAKE_OVER: ("PUT", f"{path}/ownership/succession", None),
        Action.TRANSFER: ("PUT", f"{path}/ownership/offer", {"userId": heir}),
        Action.EDIT_GROUP: ("PUT", f"{path}/address", {"address": "chess-club"}),
        # Who has left sees a private group no more; a deleted one nobody.
        **(last if caller_is_owner else dict(reversed(last.items()))),
    }


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("role", [*Role, None])
async def test_every_role_with_every_action(make_sqlite, clock, role, visibility):
    """What the table allows is done, or meets a rule of its own; everything else is 403, and 404 where the group is hidden."""
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        group, event, people, token = await furnished(tx, role, visibility)
    asked = requests(group, event, people, role is Role.OWNER)
    assert set(asked) == set(TABLE) == set(Action) - WITHOUT_OPERATION
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
    """What says something new in the group: by the hand of whoever made it there, whatever their role was then."""
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
    """What takes something away: always theirs."""
    return {
        "cancel a series": ("POST", f"/api/series/{series}/cancel", {"reason": "No more."}),
        "delete a series": ("DELETE", f"/api/series/{series}?keepEvents=false", None),
    }


@pytest.mark.parametrize("role", [*Role, None])
async def test_what_somebody_made_in_the_group_asks_for_their_role_of_now(make_sqlite, clock, role):
    """Whoever may make events there goes on with what they made; who may not any more only ends it."""
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        group, _, _, token = await furnished(tx, role, "public")
        session = await tx.fetch_one("select user_id from sessions where kind = 'api'")
        caller = Caller(UserId(session["user_id"]), "Carl")
        inside = of_event(group)
        event = await events.create(tx, caller, details(), group=inside)
        draft = await events.create(tx, caller, details(), group=inside, is_draft=True)
        made = await series.create(tx, caller, Template("Practice"), weekly(), group=inside)
    goes_on, ends = what_they_made(event.slug, draft.slug, made.slug), what_ends_it(made.slug)
    found = {}
    async with site.browser() as browser:
        for name, (method, path, body) in (goes_on | ends).items():
            answer = await browser.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})
            found[name] = answer.status_code
    may = LETTERS[role] in TABLE[Action.CREATE_EVENT]
    wrong = {name: found[name] for name in goes_on if (found[name] in {200, 201}) is not may}
    assert wrong == {}
    assert {found[name] for name in goes_on} <= ({200, 201} if may else {403})
    assert {found[name] for name in ends} <= {200, 204}


def _expected(action: Action, role: Role | None, *, is_hidden: bool, is_public: bool) -> set[int]:
    if is_hidden:
        return {404}
    if LETTERS[role] not in TABLE[action]:
        # The owner hands the group over first: a rule in words, not a lack of permission. To leave twice changes nothing.
        return {(Action.LEAVE, Role.OWNER): {422}, (Action.LEAVE, Role.LEFT): {204}}.get((action, role), {403})
    match action:
        case Action.TAKE_OVER:
            return {422}  # the owner is here
        case Action.EDIT_GROUP if not is_public:
            return {422}  # only public groups choose an address
        case _:
            return {200, 201, 204}
