"""E-mails about groups: invitations, and notices to an absent owner that somebody will take over."""

from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.groups import invitation_queries, queries, rules
from openmeet.domain.groups.model import LAST_CALL_MAIL, GroupId, InvitationId
from openmeet.domain.moderation.blocks import apart_from_address
from openmeet.domain.users.model import UNNAMED, UserId
from openmeet.domain.users.queries import by_id
from openmeet.i18n import formatting
from openmeet.outbox import emails
from openmeet.outbox.emails import Composer, Due, OutgoingEmail
from openmeet.recurrence.wall_time import local_of


def invitation_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``INVITATION_MAIL``; nothing when the invitation is used, revoked or expired, or when either has
    blocked the other.
    """

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.reader() as reader:
            invitation = await invitation_queries.invitation(reader, InvitationId(due.subject_id))
            if invitation is None or invitation.email is None or not invitation.is_open(reader.now):
                return None
            group = await queries.by_id(reader, invitation.group_id)
            host = await by_id(reader, invitation.invited_by)
            if group is None or group.deleted_at is not None:
                return None
            if await apart_from_address(reader, invitation.invited_by, invitation.email):
                return None
            if await invitation_queries.is_inside_with(reader, group.id, invitation.email):
                return None
            if await emails.is_left_alone(reader, emails.hash_of(invitation.email)):
                return None
        name = (host and host.display_name) or UNNAMED
        token = rules.token_of(key, invitation.id)
        return OutgoingEmail(
            invitation.email,
            f"{name} invites you to {group.details.name}",
            f"{name} invites you to the group {group.details.name} on {site_name}.\n\n"
            f"Look at it, and say yes or no:\n{public_url}/groups/invitations/{token}\n\n"
            "The link works once, for two weeks. You are in no group before you say yes; if you do nothing, you hear"
            " nothing more of this. Say no there, and the group never writes to this address again.\n\n"
            f"{emails.closing(emails.url_of(key, public_url, invitation.email))}",
            unsubscribe_url=f"{public_url}/mail/decline/group/{token}",
        )

    return compose


def succession_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``SUCCESSION_MAIL`` and ``LAST_CALL_MAIL``; nothing when the succession was cancelled, or the owner
    has no address.
    """

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.reader() as reader:
            group = await queries.by_id(reader, GroupId(due.subject_id))
            if group is None or group.deleted_at is not None or group.succession is None:
                return None
            owner = await by_id(reader, UserId(due.person))
            asking = await by_id(reader, group.succession.successor_id)
        if owner is None or owner.email is None or owner.id != group.owner_id:
            return None
        name = (asking and asking.display_name) or UNNAMED
        is_last = due.kind == LAST_CALL_MAIL
        ends_at = Instant(group.succession.asked_at + group.keeping.wait)
        day = formatting.day(local_of(ends_at, group.details.time_zone))
        by_whom = (
            f"{name}, whom you named for this, is to take over."
            if group.keeping.backup_admin_id == group.succession.successor_id
            else f"{name}, who is in it, asks to take over."
        )
        return OutgoingEmail(
            owner.email,
            f"Last call: {group.details.name} passes on to {name}"
            if is_last
            else f"{name} is to take over {group.details.name}",
            f"You own the group {group.details.name} on {site_name} and have not been there for a while. {by_whom}\n\n"
            f"If you want to keep it, sign in and say so:\n{public_url}/groups/{quote(group.slug)}/ownership\n\n"
            f"If you do nothing, it passes on to them on {day}. You stay an admin, and can take it back.\n",
        )

    return compose
