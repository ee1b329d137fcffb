"""E-mails about groups: invitations, and notices to an absent owner that somebody else will take over."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.groups import invitation_queries, queries, rules
from openmeet.domain.groups.model import LAST_CALL_MAIL, GroupId, InvitationId
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.blocks import is_block_between_address
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.emails.render import opt_out_lines, text_link, with_closing
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail
from openmeet.recurrence.wall_time import local_of


def invitation_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``INVITATION_MAIL``. Composes nothing if the invitation was used, was revoked or has expired, if
    either person has blocked the other, or if the group is hidden.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            invitation = await invitation_queries.invitation(reader, InvitationId(due.subject_id))
            if invitation is None or invitation.email is None or not invitation.is_open(reader.now):
                return None
            group = await queries.by_id(reader, invitation.group_id)
            names = await shown_names(reader, [invitation.invited_by])
            if group is None or group.deleted_at is not None or group.is_hidden:
                return None
            if await is_block_between_address(reader, invitation.invited_by, invitation.email):
                return None
            if await invitation_queries.is_member_or_banned(reader, group.id, invitation.email):
                return None
            if await email_suppressions.is_suppressed(reader, key, invitation.email):
                return None
        name = names[invitation.invited_by]
        token = rules.token_of(key, invitation.id)
        parts = [
            gettext(
                "%(name)s invites you to the group %(group)s on %(site)s.",
                name=name,
                group=group.details.name,
                site=site_name,
            ),
            text_link(gettext("View and answer"), f"{public_url}/groups/invitations/{token}"),
            gettext(
                "The link works once, for two weeks. You don’t join the group until you say yes. "
                "If you do nothing, we won’t write again. If you say no, the group will never "
                "write to this address again."
            ),
        ]
        closing = opt_out_lines(email_suppressions.url_of(key, public_url, invitation.email))
        return OutgoingEmail(
            invitation.email,
            gettext("%(name)s invites you to %(title)s", name=name, title=group.details.name),
            with_closing("\n\n".join(parts), closing),
            unsubscribe_url=f"{public_url}/mail/decline/group/{token}",
            thread=group.id,
        )

    return compose


def succession_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``SUCCESSION_MAIL`` and ``LAST_CALL_MAIL``. Composes nothing if the succession was cancelled or the
    owner has no address.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            group = await queries.by_id(reader, GroupId(due.subject_id))
            if group is None or group.deleted_at is not None or group.succession is None:
                return None
            owner = await by_id(reader, UserId(due.person))
            names, now = await shown_names(reader, [group.succession.successor_id]), reader.now
        if owner is None or owner.email is None or owner.id != group.owner_id:
            return None
        name = names[group.succession.successor_id]
        is_last = due.kind == LAST_CALL_MAIL
        ends_at = Instant(group.succession.asked_at + group.succession_plan.wait)
        zone = group.details.time_zone
        day = formatting.day(local_of(ends_at, zone), local_of(now, zone).date())
        title = group.details.name
        if is_last:
            subject = gettext("Last reminder: %(name)s takes over %(group)s", group=title, name=name)
        else:
            subject = gettext("%(name)s will take over %(group)s", name=name, group=title)
        if group.succession_plan.backup_admin_id == group.succession.successor_id:
            happening = gettext(
                "You own the group %(group)s on %(site)s and have been away for a while. %(name)s, the next owner "
                "you named, is about to take over.",
                group=title,
                site=site_name,
                name=name,
            )
        else:
            happening = gettext(
                "You own the group %(group)s on %(site)s and have been away for a while. %(name)s, a member, asks to "
                "take over.",
                group=title,
                site=site_name,
                name=name,
            )
        page = f"{public_url}{group_path(group.slug)}/ownership"
        parts = [
            happening,
            text_link(gettext("Sign in to keep it"), page),
            gettext(
                "If you do nothing, they become the owner on %(day)s. You stay an admin and can undo this.", day=day
            ),
        ]
        return OutgoingEmail(owner.email, subject, "\n\n".join(parts) + "\n", thread=group.id)

    return compose
