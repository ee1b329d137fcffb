"""Group permissions: every role with every action, and every change of membership."""

from dataclasses import replace

import pytest

from groundwork.clock import DAY, Instant
from groundwork.errors import Forbidden, InvalidForm, Refused
from groundwork.signing_key import SigningKey
from openmeet.domain.groups import rules
from openmeet.domain.groups.model import (
    INSIDE,
    Group,
    GroupId,
    GroupLogAction,
    GroupLogEntry,
    GroupRole,
    GroupSlug,
    GroupSuccession,
    GroupVisibility,
    InvitationId,
    JoinPolicy,
    SuccessionPlan,
)
from openmeet.domain.groups.queries import new_membership
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import UserId
from tests.openmeet.groups.people import details

NOW = Instant(1_772_366_400_000_000)
ANA, BEN = UserId("ana"), UserId("ben")
KEY = SigningKey(b"k" * 32)

# A second copy of the table, with one letter for each role that has the permission.
#
# Roles: o owner, a admin, m moderator, i member, p pending.
TABLE = {
    GroupPermission.VIEW: "oami",
    GroupPermission.SEE_MEMBERS: "oami",
    GroupPermission.POST: "oami",
    GroupPermission.LEAVE: "amip",
    GroupPermission.CREATE_EVENT: "oam",
    GroupPermission.INVITE: "oam",
    GroupPermission.APPROVE: "oam",
    GroupPermission.REMOVE: "oam",
    GroupPermission.BAN: "oam",
    GroupPermission.SEE_LOG: "oam",
    GroupPermission.EDIT_ANY_EVENT: "oa",
    GroupPermission.CHANGE_ROLE: "oa",
    GroupPermission.EDIT_GROUP: "oa",
    GroupPermission.FOLLOW: "oa",
    GroupPermission.TAKE_OVER: "ami",
    GroupPermission.ANNOUNCE: "oam",
    GroupPermission.TRANSFER: "o",
    GroupPermission.DELETE: "o",
}
LETTERS = {
    GroupRole.OWNER: "o",
    GroupRole.ADMIN: "a",
    GroupRole.MODERATOR: "m",
    GroupRole.MEMBER: "i",
    GroupRole.PENDING: "p",
    GroupRole.DECLINED: "d",
    GroupRole.LEFT: "l",
    GroupRole.BANNED: "b",
    None: "n",
}


def group(**typed: str) -> Group:
    return Group(
        GroupId("g"), GroupSlug("chess"), details(**typed), "", "", ANA, SuccessionPlan(), None, None, 1, None, NOW, NOW
    )


@pytest.mark.parametrize("action", GroupPermission)
@pytest.mark.parametrize("role", [*GroupRole, None])
def test_every_role_has_its_permissions(role, action):
    """For each pair the code agrees with the table above."""
    is_allowed = LETTERS[role] in TABLE[action]
    assert rules.may(role, action) is is_allowed
    if is_allowed:
        rules.require_permission(role, action)
    else:
        with pytest.raises(Forbidden):
            rules.require_permission(role, action)


@pytest.mark.parametrize("role", [*GroupRole, None])
@pytest.mark.parametrize("visibility", GroupVisibility)
def test_a_private_group_is_visible_to_members_only(visibility, role):
    is_seen = visibility is not GroupVisibility.PRIVATE or role in INSIDE
    assert rules.may_see(group(visibility=visibility), role) is is_seen


@pytest.mark.parametrize("role", [*GroupRole, None])
def test_a_deleted_group_is_visible_to_nobody(role):
    assert not rules.may_see(replace(group(), deleted_at=NOW), role)


@pytest.mark.parametrize("other", GroupRole)
@pytest.mark.parametrize("role", GroupRole)
def test_people_decide_about_lower_roles_only(role, other):
    """People decide about lower roles only, and people outside the group about no role."""
    order = "imao"
    mine, theirs = order.find(LETTERS[role]), order.find(LETTERS[other])
    assert rules.ranks_above(role, other) is (mine >= 0 and mine > theirs)


JOINING = {
    (JoinPolicy.OPEN, None): GroupRole.MEMBER,
    (JoinPolicy.OPEN, GroupRole.LEFT): GroupRole.MEMBER,
    (JoinPolicy.OPEN, GroupRole.DECLINED): GroupRole.MEMBER,
    (JoinPolicy.OPEN, GroupRole.PENDING): GroupRole.MEMBER,
    (JoinPolicy.REQUEST, None): GroupRole.PENDING,
    (JoinPolicy.REQUEST, GroupRole.LEFT): GroupRole.PENDING,
    (JoinPolicy.REQUEST, GroupRole.DECLINED): GroupRole.PENDING,
    (JoinPolicy.REQUEST, GroupRole.PENDING): GroupRole.PENDING,
    (JoinPolicy.INVITE, GroupRole.PENDING): GroupRole.PENDING,
}


@pytest.mark.parametrize("before", [*GroupRole, None])
@pytest.mark.parametrize("policy", JoinPolicy)
def test_joining_follows_the_policy(policy, before):
    """Members stay as they are, banned people never get in, and others follow the join policy."""
    expected = before if before in INSIDE else JOINING.get((policy, before))
    if expected is None:
        with pytest.raises(Refused):
            rules.role_after_joining(group(join_policy=policy), before)
    else:
        assert rules.role_after_joining(group(join_policy=policy), before) is expected


@pytest.mark.parametrize("before", [*GroupRole, None])
def test_an_invitation_admits_everybody_but_banned_people(before):
    if before is GroupRole.BANNED:
        with pytest.raises(Refused):
            rules.role_after_accepting(before)
    else:
        assert rules.role_after_accepting(before) is (before if before in INSIDE else GroupRole.MEMBER)


def test_the_owner_cannot_leave():
    with pytest.raises(Refused) as refused:
        rules.require_able_to_leave(GroupRole.OWNER)
    assert refused.value.name == "OwnerCannotLeave"


@pytest.mark.parametrize("wanted", GroupRole)
@pytest.mark.parametrize("role", [GroupRole.OWNER, GroupRole.ADMIN])
def test_roles_are_given_by_higher_roles_and_ownership_never(role, wanted):
    allowed = {GroupRole.OWNER: "ami", GroupRole.ADMIN: "mi"}[role]
    if LETTERS[wanted] in allowed:
        rules.require_grantable(role, wanted)
    else:
        with pytest.raises((Refused, Forbidden)):
            rules.require_grantable(role, wanted)


def test_the_groups_question_must_be_answered():
    asking = group(join_policy="request", join_question="Why us?")
    with pytest.raises(InvalidForm):
        rules.check_answer(asking, "  ")
    assert rules.check_answer(asking, " I play. ") == "I play."
    assert rules.check_answer(group(join_question="Why us?"), "nobody asked") == ""


def asked(days: int) -> Group:
    return replace(group(), succession=GroupSuccession(BEN, Instant(NOW - days * DAY)))


@pytest.mark.parametrize(
    ("found", "seen_days_ago", "name"),
    [
        pytest.param(group(), 100, "NotAsked", id="nobody asked"),
        pytest.param(replace(asked(20), succession=GroupSuccession(ANA, NOW)), 100, "NotAsked", id="another asked"),
        pytest.param(asked(13), 100, "StillWaiting", id="too early"),
        pytest.param(asked(20), 3, "OwnerIsBack", id="the owner came back"),
    ],
)
def test_a_group_is_not_taken_over_before_its_time(found, seen_days_ago, name):
    with pytest.raises(Refused) as refused:
        rules.require_succession_over(
            found, BEN, owner_seen_at=Instant(NOW - seen_days_ago * DAY), now=NOW, wait=14 * DAY
        )
    assert refused.value.name == name


def test_a_group_is_taken_over_when_the_owner_stays_away():
    rules.require_succession_over(asked(14), BEN, owner_seen_at=Instant(NOW - 99 * DAY), now=NOW, wait=14 * DAY)


def test_only_the_previous_owner_can_take_the_group_back():
    line = GroupLogEntry("1", ANA, BEN, GroupLogAction.TAKEN_OVER, GroupRole.OWNER, GroupRole.ADMIN, NOW)
    inside = new_membership(NOW, GroupId("g"), ANA, GroupRole.ADMIN)
    rules.require_returnable(line, ANA, inside)
    for last, who, mine in (
        (None, ANA, inside),
        (line, BEN, inside),
        (line, ANA, None),
        (line, ANA, replace(inside, role=GroupRole.BANNED)),
    ):
        with pytest.raises(Refused):
            rules.require_returnable(last, who, mine)


def test_a_forged_link_is_invalid():
    invitation_id = InvitationId("01890000-0000-7000-8000-000000000000")
    token = rules.token_of(KEY, invitation_id)
    assert rules.invitation_in(KEY, token) == invitation_id
    for wrong in (
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        token[:-2],
        "",
        rules.token_of(SigningKey(b"j" * 32), invitation_id),
    ):
        assert rules.invitation_in(KEY, wrong) is None
