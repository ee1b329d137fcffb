"""Mail about groups: an invitation, and the news that somebody wants to take over. Composed when it is sent."""

from groundwork.database.transaction import Database
from openmeet.debts.deliveries import Composer, Due, Letter
from openmeet.groups import doors, queries, rules
from openmeet.groups.model import GroupId, InvitationId
from openmeet.users.model import UNNAMED, UserId
from openmeet.users.queries import by_id

INVITATION_MAIL = "group_invitation"
SUCCESSION_MAIL = "group_succession"


def invitation_composer(key: bytes, site_name: str, public_url: str) -> Composer:
    """The composer of ``INVITATION_MAIL``; says nothing when the invitation is used, taken back or over."""

    async def compose(db: Database, due: Due) -> Letter | None:
        async with db.reader() as reader:
            invitation = await doors.invitation(reader, InvitationId(due.subject_id))
            if invitation is None or invitation.email is None or not invitation.is_open(reader.now):
                return None
            group = await queries.by_id(reader, invitation.group_id)
            host = await by_id(reader, invitation.invited_by)
            if group is None or group.deleted_at is not None:
                return None
        name = (host and host.display_name) or UNNAMED
        token = rules.token_of(key, invitation.id)
        return Letter(
            invitation.email,
            f"{name} invites you to {group.details.name}",
            f"{name} invites you to the group {group.details.name} on {site_name}.\n\n"
            f"Look at it, and say yes if you like:\n{public_url}/groups/invitations/{token}\n\n"
            "The link works once, for two weeks. You are in no group before you say yes; if you do nothing, you hear"
            " nothing more of this.\n",
        )

    return compose


def succession_composer(site_name: str, public_url: str) -> Composer:
    """The composer of ``SUCCESSION_MAIL``; says nothing when nobody asks any more, or the owner has no address."""

    async def compose(db: Database, due: Due) -> Letter | None:
        async with db.reader() as reader:
            group = await queries.by_id(reader, GroupId(due.subject_id))
            if group is None or group.deleted_at is not None or group.succession is None:
                return None
            owner = await by_id(reader, UserId(due.person))
            asking = await by_id(reader, group.succession.successor_id)
        if owner is None or owner.email is None or owner.id != group.owner_id:
            return None
        name = (asking and asking.display_name) or UNNAMED
        return Letter(
            owner.email,
            f"{name} asks to take over {group.details.name}",
            f"You own the group {group.details.name} on {site_name} and have not been there for a while. {name}, an admin"
            " of it, asks to take over.\n\n"
            f"If you want to keep it, sign in and say no:\n{public_url}/groups/{group.slug}/ownership\n\n"
            "If you do nothing, it passes on to them after the waiting time. You stay an admin, and can take it back.\n",
        )

    return compose
