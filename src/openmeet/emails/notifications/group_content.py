"""Group notifications in words, for the page, the API and e-mails. What a person may not see is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from groundwork.database.transaction import Reader
from openmeet.domain.groups import announcements, rules
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import Announcement, AnnouncementId, Group, GroupId, GroupRole, MemberId, Membership
from openmeet.domain.groups.queries import by_ids, roles_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications.model import OF_GROUPS, Notification, NotificationKind
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import summary_of

ROLE_WORDS: Final[Mapping[GroupRole, str]] = {
    GroupRole.OWNER: "the owner",
    GroupRole.ADMIN: "an admin",
    GroupRole.MODERATOR: "a moderator",
    GroupRole.MEMBER: "a member",
}

# Text before and after the group's name; {who} is a person's name.
_OWNERSHIP: Final[Mapping[str, tuple[str, str]]] = {
    "offered": ("{who} offers you to own ", "."),
    "declined": ("{who} does not want to own ", "."),
    "accepted": ("{who} owns ", " now, as you offered."),
    "backup": ("{who} named you the next owner of ", ", for the case that they are not there."),
    "asked": ("{who} is to take over ", " unless you say that you are here."),
    "stopped": ("Nobody takes over ", ": it stays with its owner."),
    "taken_over": ("{who} has taken over ", ". You can take it back."),
    "yours": ("You own ", " now."),
    "taken_back": ("{who} has taken back ", "."),
    "passed_on": ("You own ", " now: the account of its owner is gone."),
}


# Kinds whose subject is an announcement.
_ANNOUNCED = frozenset({NotificationKind.ANNOUNCEMENT, NotificationKind.GROUP_MENTION})


@dataclass(frozen=True, slots=True)
class GroupSentence:
    """``before`` and ``after`` surround the group's name; ``heading`` precedes it in the subject of an e-mail.

    ``text`` was written by a person.
    """

    heading: str
    before: str
    after: str
    path: str
    group: Group
    text: str = ""


@dataclass(frozen=True, slots=True)
class GroupNewsContext:
    """Current facts for the group notifications of one person."""

    viewer: UserId
    groups: Mapping[GroupId, Group]
    roles: Mapping[GroupId, GroupRole]
    standings: Mapping[MemberId, Membership]
    announced: Mapping[AnnouncementId, Announcement]
    names: Mapping[UserId, str]


async def facts_of(reader: Reader, news: Sequence[Notification], viewer: UserId) -> GroupNewsContext:
    """Facts for those of the notifications that are about groups, in a handful of statements."""
    ours = [one for one in news if one.kind in OF_GROUPS]
    ids = [GroupId(one.particulars.group_id) for one in ours if one.particulars.group_id]
    return GroupNewsContext(
        viewer,
        await by_ids(reader, ids),
        await roles_in(reader, ids, viewer),
        await members_by_ids(reader, [one.subject_id for one in ours if one.kind is NotificationKind.JOIN_REQUEST]),
        await announcements.by_ids(reader, [one.subject_id for one in ours if one.kind in _ANNOUNCED]),
        await shown_names(reader, [one.particulars.person_id for one in ours if one.particulars.person_id]),
    )


def said(one: Notification, facts: GroupNewsContext) -> GroupSentence | None:
    """The text of a notification; None where the person may not see the group or the subject."""
    group = facts.groups.get(GroupId(one.particulars.group_id or ""))
    role = facts.roles.get(group.id) if group else None
    if group is None or not rules.may_see(group, role):
        return None
    about = one.particulars
    who = facts.names.get(about.person_id, "Somebody") if about.person_id else "Somebody"
    path = f"/groups/{quote(group.slug)}"
    match one.kind:
        case NotificationKind.JOIN_REQUEST:
            if not rules.may(role, GroupPermission.APPROVE):
                return None
            return GroupSentence("Request", f"{who} asks to get into ", ".", f"{path}/requests", group)
        case NotificationKind.JOIN_DECIDED if about.answer == GroupRole.MEMBER:
            return GroupSentence("You are in", "Your request was approved: you are in ", ".", path, group)
        case NotificationKind.JOIN_DECIDED:
            return GroupSentence("Request declined", "Your request to get into ", " was declined.", path, group)
        case NotificationKind.ROLE_CHANGED:
            words = ROLE_WORDS[GroupRole(about.answer)]
            return GroupSentence("Another role", f"{who} made you {words} of ", ".", path, group)
        case NotificationKind.OWNERSHIP:
            before, after = _OWNERSHIP[about.answer]
            return GroupSentence("Who owns it", before.format(who=who), after, f"{path}/ownership", group)
        case NotificationKind.GROUP_MODERATED if about.answer == "hidden":
            after = ": nobody sees it but those who run it. Answer to a mail of this site if that is a mistake."
            return GroupSentence("Hidden", "A moderator of this site has hidden ", after, path, group, about.said)
        case NotificationKind.GROUP_MODERATED:
            return GroupSentence("Shown to others", "A moderator has decided to show to others ", ".", path, group)
        case NotificationKind.ANNOUNCEMENT | NotificationKind.GROUP_MENTION:
            announced = facts.announced.get(AnnouncementId(one.subject_id))
            if announced is None or not rules.may(role, GroupPermission.VIEW):
                return None
            text = announced.text
            if one.kind is NotificationKind.GROUP_MENTION:
                return GroupSentence(
                    "You are mentioned", f"{who} mentions you in ", f": {summary_of(text)}", path, group, text
                )
            return GroupSentence("Announcement", f"{who} writes in ", f": {summary_of(text)}", path, group, text)
        case _:
            raise ValueError(f"not about a group: {one.kind}")


def still_holds(one: Notification, facts: GroupNewsContext) -> bool:
    """Whether to e-mail it now: not a decided request, an expired offer, or a role that changed again."""
    group = facts.groups.get(GroupId(one.particulars.group_id or ""))
    if group is None:
        return False
    role = facts.roles.get(group.id)
    match one.kind:
        case NotificationKind.JOIN_REQUEST:
            asking = facts.standings.get(MemberId(one.subject_id))
            return asking is not None and asking.role is GroupRole.PENDING
        case NotificationKind.JOIN_DECIDED | NotificationKind.ROLE_CHANGED:
            return role is not None and role.value == one.particulars.answer
        case NotificationKind.OWNERSHIP if one.particulars.answer == "offered":
            return group.offer is not None and group.offer.heir_id == facts.viewer
        case NotificationKind.OWNERSHIP if one.particulars.answer == "asked":
            # The owner gets an e-mail of their own about this, which no preference stops.
            return False
        case NotificationKind.OWNERSHIP if one.particulars.answer in {"yours", "passed_on"}:
            return role is GroupRole.OWNER
        case NotificationKind.GROUP_MODERATED:
            return group.is_hidden is (one.particulars.answer == "hidden")
        case _:
            return True
