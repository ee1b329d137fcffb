"""Account merge, table by table: rows that refer to the merged user are changed to refer to the remaining one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from groundwork.clock import SECOND
from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.account_merge.model import AccountMergeReason
from openmeet.domain.groups import audit_log, calendar_feeds, membership_queries, queries
from openmeet.domain.groups.model import BELOW_OWNER, GroupLogAction, GroupRole, Membership, roles_sql
from openmeet.domain.groups.publication import record_holder_of
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.notifications import email_links, fan_out
from openmeet.domain.notifications.model import DIGEST_MAIL, NOTIFICATION_MAIL, WEEK_MAIL
from openmeet.domain.personal_data.tables import hand_over
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import UserId
from openmeet.outbox import emails, publication_moves
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_status import subjects_with_publication
from openmeet.outbox.publications import PublicationKind

# If the remaining user already has an open e-mail about the same subject, the notifications move into that one.
_INTO_OPEN_MAIL: Final = """
    update notifications
       set mail_id = (select t.id from notification_emails f join notification_emails t on t.subject = f.subject
                       where f.id = notifications.mail_id and t.user_id = :to_user and t.closed_at is null)
     where user_id = :from_user and mail_id in (
           select f.id from notification_emails f join notification_emails t on t.subject = f.subject
            where f.user_id = :from_user and f.closed_at is null and t.user_id = :to_user and t.closed_at is null)
"""
_DROP_OPEN_TWINS: Final = """
    delete from notification_emails
     where user_id = :from_user and closed_at is null and exists (
           select 1 from notification_emails t where t.user_id = :to_user and t.subject = notification_emails.subject
               and t.closed_at is null)
"""
_OPEN: Final = "select id from notification_emails where user_id = :from_user and closed_at is null order by id"

# Notifications to hosts about an attendee, or to group admins about a member. Their details contain the id of that
# user.
_RENAME_IN_NOTIFICATIONS: Final = f"""
    update notifications set particulars = replace(particulars, :from_user, :to_user)
     where particulars like '%' || cast(:from_user as text) || '%' and user_id in (
           select e.author_id from attendances a join events e on e.id = a.event_id where a.user_id = :from_user
           union select h.user_id from attendances a join event_co_hosts h on h.event_id = a.event_id
                  where a.user_id = :from_user and h.user_id is not null
           union select s.user_id from group_members m join group_members s on s.group_id = m.group_id
                  where m.user_id = :from_user and s.role in ({roles_sql(roles_with(GroupPermission.APPROVE))})
           union select cast(:from_user as text) union select cast(:to_user as text))
"""


async def reassign_notifications(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Call this before RSVPs and memberships are reassigned, because they decide who was notified about the merged
    user.
    """
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(_RENAME_IN_NOTIFICATIONS, **people)
    await tx.execute(_INTO_OPEN_MAIL, **people)
    await tx.execute(_DROP_OPEN_TWINS, **people)
    mails = [(NOTIFICATION_MAIL, row["id"]) for row in await tx.fetch(_OPEN, from_user=from_user)]
    today = datetime.fromtimestamp(tx.now / SECOND, UTC).date()
    # A digest job is named after a date in the user's time zone, which can differ from today's date in UTC.
    mails += [(DIGEST_MAIL, (today + timedelta(days=days)).isoformat()) for days in (-1, 0, 1, 2)]
    monday = today - timedelta(days=today.weekday())
    mails += [(WEEK_MAIL, (monday + timedelta(days=days)).isoformat()) for days in (0, 7)]
    await emails.readdress(tx, mails, from_person=from_user, to_person=to_user)
    await hand_over(tx, "notification_emails", "user_id", from_user, to_user)
    await fan_out.reassign(tx, from_user, to_user)
    await hand_over(tx, "notifications", "user_id", from_user, to_user)
    await hand_over(tx, "notification_preferences", "user_id", from_user, to_user)
    await hand_over(tx, "notification_hours", "user_id", from_user, to_user)
    await email_links.reassign(tx, from_user, to_user)


# The role that comes first in this list is kept.
_ROLE_PRECEDENCE: Final = (
    GroupRole.OWNER,
    GroupRole.BANNED,
    *BELOW_OWNER,
    GroupRole.PENDING,
    GroupRole.LEFT,
    GroupRole.DECLINED,
)

_NAMED: Final = (
    ("groups", "owner_id"),
    ("groups", "created_by"),
    ("groups", "account_id"),
    ("groups", "successor_id"),
    ("groups", "backup_admin_id"),
    ("groups", "heir_id"),
    ("group_members", "decided_by"),
    ("group_invitations", "invited_by"),
    ("group_roles_log", "user_id"),
    ("group_roles_log", "acted_by"),
    ("group_follows", "followed_by"),
    ("group_announcements", "author_id"),
    ("group_announcements", "removed_by"),
)


async def reassign_groups(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Reassign every group row from one user to the other. Return how many memberships were merged."""
    merged = 0
    for from_membership in await membership_queries.memberships_of(tx, from_user):
        await queries.lock(tx, from_membership.group_id)
        membership = await queries.find_member(tx, from_membership.group_id, to_user)
        if membership is not None:
            await _merge(tx, from_membership, membership)
            merged += 1
    await hand_over(tx, "group_members", "user_id", from_user, to_user)
    await hand_over(tx, "group_followers", "user_id", from_user, to_user)
    await _end_what_bans_end(tx, to_user)
    await calendar_feeds.revoke_all(tx, from_user)
    await hand_over(tx, "group_calendar_feeds", "user_id", from_user, to_user)
    # An idempotency key prevents one user's form from being submitted twice. The key is not used after the merge.
    await tx.execute("update groups set submission_key = null where created_by = :user_id", user_id=from_user)
    for table, column in _NAMED:
        await hand_over(tx, table, column, from_user, to_user)
    return merged


async def _end_what_bans_end(tx: Transaction, user_id: UserId) -> None:
    """End what a ban ends, because the remaining user may have been banned as the other one: following the group, and
    RSVPs to its events.
    """
    rows = await tx.fetch(
        f"select group_id from group_members where user_id = :user_id and role = '{GroupRole.BANNED}' order by group_id",
        user_id=user_id,
    )
    for row in rows:
        await membership_queries.end_following(tx, row["group_id"], user_id)
    if rows:
        await enqueue_again(tx, JobKind.LEFT_GROUP, [user_id])


async def _merge(tx: Transaction, theirs: Membership, membership: Membership) -> None:
    role = min(theirs.role, membership.role, key=_ROLE_PRECEDENCE.index)
    # Remove the old owner before promoting the new one, because the database allows only one owner at a time.
    await tx.execute("delete from group_members where id = :id", id=theirs.id)
    is_said = theirs.sync_enabled or theirs.statement_uri is not None
    if role is membership.role and not is_said:
        return
    since = [one.joined_at for one in (theirs, membership) if one.joined_at is not None]
    stays = replace(
        membership,
        role=role,
        joined_at=min(since, default=None),
        revision=max(membership.revision, theirs.revision) + 1,
        sync_enabled=membership.sync_enabled or theirs.sync_enabled,
        statement_uri=membership.statement_uri or theirs.statement_uri,
        network_role=membership.network_role or theirs.network_role,
    )
    await queries.put_member(tx, stays)
    for kind in (PublicationKind.MEMBERSHIP, PublicationKind.ACCEPTANCE):
        if is_said and await subjects_with_publication(tx, kind, [theirs.id]):
            holder = await _record_holder(tx, kind, stays)
            joined = publication_moves.MergedSubjects(membership.id, theirs.id, holder, stays.revision + 1, tx.now)
            await publication_moves.merge_subjects(tx, kind, [joined])
    if role is membership.role:
        return
    await audit_log.add(
        tx,
        membership.group_id,
        membership.user_id,
        GroupLogAction.ROLE_CHANGED,
        by=membership.user_id,
        before=membership.role,
        after=role,
        note="merged",
    )


async def _record_holder(tx: Transaction, kind: PublicationKind, stays: Membership) -> UserId:
    """The user whose repository holds the record: the member, or the holder of the group's records."""
    group = None if kind is PublicationKind.MEMBERSHIP else await queries.by_id(tx, stays.group_id)
    return stays.user_id if group is None else record_holder_of(group)


_FORGET_SERIES_KEYS: Final = (
    "update event_series set submission_key = null where user_id = :from_user and submission_key is not null"
)
# A user cannot be offered what they already own.
_DROP_OFFERS: Final = """
    delete from event_series_offers
     where from_user_id in (:from_user, :to_user) and to_user_id in (:from_user, :to_user)
"""
# Undo snapshots hold whole rows. An undo within its ten minutes must not restore references to the deleted user.
_IN_UNDOS: Final = """
    update event_series_undos set kept = replace(kept, :from_user, :to_user)
     where expires_at > :now and undone_at is null and kept like '%' || cast(:from_user as text) || '%'
"""


async def reassign_series(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Reassign every series row from one user to the other. Return how many series."""
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(_FORGET_SERIES_KEYS, from_user=from_user)
    await tx.execute(_DROP_OFFERS, **people)
    await tx.execute(_IN_UNDOS, **people, now=tx.now)
    moved = await hand_over(tx, "event_series", "user_id", from_user, to_user)
    await hand_over(tx, "event_series_offers", "from_user_id", from_user, to_user)
    await hand_over(tx, "event_series_offers", "to_user_id", from_user, to_user)
    await hand_over(tx, "event_series_followers", "user_id", from_user, to_user)
    await hand_over(tx, "event_series_standing_rsvps", "user_id", from_user, to_user)
    await hand_over(tx, "event_series_invitations", "user_id", from_user, to_user)
    await hand_over(tx, "event_series_invitations", "invited_by", from_user, to_user)
    return moved


# An idempotency key prevents one user's form from being submitted twice. The key is not used after the merge.
_FORGET_EVENT_KEYS: Final = (
    "update events set submission_key = null where author_id = :from_user and submission_key is not null"
)

# An accepted co-host invitation takes precedence over any other state of the other user's invitation.
_DROP_LESSER: Final = """
    delete from event_co_hosts
     where user_id = :to_user and state <> 'accepted' and exists (
           select 1 from event_co_hosts o
            where o.event_id = event_co_hosts.event_id and o.user_id = :from_user and o.state = 'accepted')
"""
_DROP_OWN: Final = """
    delete from event_co_hosts
     where user_id = :to_user and exists (select 1 from events e
         where e.id = event_co_hosts.event_id and e.author_id = :to_user)
"""


async def reassign_events(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Reassign events and co-host invitations. Return how many events."""
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(_FORGET_EVENT_KEYS, from_user=from_user)
    moved = await hand_over(tx, "events", "author_id", from_user, to_user)
    await tx.execute(_DROP_LESSER, **people)
    await hand_over(tx, "event_co_hosts", "user_id", from_user, to_user)
    await hand_over(tx, "event_co_hosts", "invited_by", from_user, to_user)
    await tx.execute(_DROP_OWN, to_user=to_user)
    return moved


# If both users decided about publishing, the later decision counts. A user who was asked but has not answered has made
# no decision.
_DROP_EARLIER_DECISION: Final = """
    delete from consents
     where user_id = :to_user and exists (
           select 1 from consents c
            where c.user_id = :from_user and c.answered_at is not null
              and c.answered_at > coalesce(consents.answered_at, 0))
"""

_COUNT_CUSTODIAL: Final = (
    "select count(distinct user_id) as n from custodial_accounts where user_id in (:from_user, :to_user)"
)


async def reassign_identities(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign DIDs, consent and the custodial account. New records go to the previous default repository of
    ``to_user``.

    Raises Refused (``TwoRepositories``) if both have a custodial repository, because a user can have only one.
    """
    people = {"from_user": from_user, "to_user": to_user}
    row = await tx.fetch_one(_COUNT_CUSTODIAL, **people)
    if row is not None and row["n"] > 1:
        raise Refused(
            AccountMergeReason.TWO_REPOSITORIES,
            name="TwoRepositories",
        )
    await tx.execute(_DROP_EARLIER_DECISION, **people)
    await hand_over(tx, "consents", "user_id", from_user, to_user)
    await hand_over(tx, "record_preferences", "user_id", from_user, to_user)
    await hand_over(tx, "co_host_publications", "author_id", from_user, to_user)
    await hand_over(tx, "co_host_publications", "co_host_id", from_user, to_user)
    await hand_over(tx, "custodial_accounts", "user_id", from_user, to_user)
    await hand_over(tx, "recovery_keys", "user_id", from_user, to_user)
    if any(one.is_default for one in await identity_queries.of_user(tx, to_user)):
        await tx.execute("update identities set is_default = 0 where user_id = :from_user", from_user=from_user)
    await hand_over(tx, "identities", "user_id", from_user, to_user)
    consent = await identity_queries.consent(tx, to_user)
    if consent.is_given and not (await identity_queries.writable_of_user(tx, to_user)):
        # The merged user has only just consented, and their repository is still being created.
        await enqueue_again(tx, JobKind.CUSTODIAL_ACCOUNT, [to_user])


async def reassign_blocks(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign blocks, mutes, reports and moderation decisions. The audit log is not changed.

    A block between the two accounts is dropped. If both have an open report about the same subject, the remaining
    user's report is kept.
    """
    await tx.execute(
        "delete from user_blocks where (user_id = :one and blocked_id = :other) or (user_id = :other "
        "and blocked_id = :one)",
        one=from_user,
        other=to_user,
    )
    await tx.execute(
        "delete from user_mutes where (user_id = :one and subject = :other) or (user_id = :other and subject = :one)",
        one=from_user,
        other=to_user,
    )
    await hand_over(tx, "user_blocks", "user_id", from_user, to_user)
    await hand_over(tx, "user_blocks", "blocked_id", from_user, to_user)
    await hand_over(tx, "user_mutes", "user_id", from_user, to_user)
    await hand_over(tx, "user_mutes", "subject", from_user, to_user)
    await hand_over(tx, "moderators", "user_id", from_user, to_user)
    await tx.execute(
        "delete from reports where closed_at is null and reporter_id = :one and exists (select 1 from reports kept"
        " where kept.closed_at is null and kept.reporter_id = :other and kept.kind = reports.kind"
        " and kept.subject = reports.subject)",
        one=from_user,
        other=to_user,
    )
    await tx.execute("update reports set reporter_id = :other where reporter_id = :one", one=from_user, other=to_user)
    await tx.execute(
        "delete from reports where closed_at is null and subject = :one and exists (select 1 from reports kept"
        " where kept.closed_at is null and kept.reporter_id = reports.reporter_id and kept.subject = :other)",
        one=from_user,
        other=to_user,
    )
    await tx.execute("update reports set subject = :other where subject = :one", one=from_user, other=to_user)
    await _merge_moderation_states(tx, from_user, to_user)


async def _merge_moderation_states(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """If a moderator hid either account, the merged one stays hidden. Otherwise the state of the remaining user counts."""
    await tx.execute(
        "delete from moderation_states where subject = :other and state <> 'hidden'"
        " and exists (select 1 from moderation_states o where o.subject = :one and o.state = 'hidden')",
        one=from_user,
        other=to_user,
    )
    await hand_over(tx, "moderation_states", "subject", from_user, to_user)


async def reassign_imports(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign imports, their result per event (one per UID) and the invitations sent."""
    await hand_over(tx, "imports", "user_id", from_user, to_user)
    await hand_over(tx, "imported_events", "user_id", from_user, to_user)
    await hand_over(tx, "imported_contacts", "invited_by", from_user, to_user)


async def reassign_saved_searches(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await hand_over(tx, "saved_searches", "user_id", from_user, to_user)


async def reassign_pictures(tx: Transaction, from_user: str, to_user: str) -> None:
    """Pictures stay where they are shown and now belong to the remaining user."""
    await tx.execute(
        "update pictures set user_id = :to_user where user_id = :from_user", from_user=from_user, to_user=to_user
    )


async def reassign_messages(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign sent and scheduled messages."""
    await hand_over(tx, "host_messages", "author_id", from_user, to_user)


async def reassign_followers(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await tx.execute(
        "delete from profile_followers where user_id in :both and followed_id in :both", both=[from_user, to_user]
    )
    await hand_over(tx, "profile_followers", "user_id", from_user, to_user)
    await hand_over(tx, "profile_followers", "followed_id", from_user, to_user)


# A feed with a working secret address replaces one whose address was revoked.
_DROP_UNUSED: Final = """
    delete from calendar_feeds
     where user_id = :to_user and token_hash is null
       and exists (select 1 from calendar_feeds o where o.user_id = :from_user and o.token_hash is not null)
"""


async def reassign_calendars(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign calendar subscriptions and feeds. A calendar that both subscribe to is kept once. If both have a secret
    feed address, the address of ``to_user`` keeps working.
    """
    await hand_over(tx, "subscribed_calendars", "user_id", from_user, to_user)
    await hand_over(tx, "subscribed_dates", "user_id", from_user, to_user)
    await tx.execute(_DROP_UNUSED, from_user=from_user, to_user=to_user)
    await hand_over(tx, "calendar_feeds", "user_id", from_user, to_user)


async def reassign_sessions(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign sessions, because both accounts were proven. A scheduled deletion is cancelled, as it is whenever the
    owner signs in.
    """
    for user_id in (from_user, to_user):
        await erasure_requests.cancel(tx, user_id)
    await hand_over(tx, "sessions", "user_id", from_user, to_user)


async def reassign_api_tokens(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign API tokens, and the responses stored for repeated requests."""
    await hand_over(tx, "api_tokens", "user_id", from_user, to_user)
    await hand_over(tx, "idempotency_keys", "user_id", from_user, to_user)


async def reassign_legacy_rows(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Reassign the import of a user of the older model, who is now one that already had an account on this site."""
    await tx.execute(
        "update legacy_rows set new_id = :to_user, kind = 'known' where new_id = :from_user and kind in ('user', 'known')",
        from_user=from_user,
        to_user=to_user,
    )
