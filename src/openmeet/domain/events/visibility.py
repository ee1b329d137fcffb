"""SQL conditions for lists of events, above all for their visibility: the decisions of ``event_access``, for all events
of a list (invariant 3).

Each takes the alias of ``events`` in the statement. Aliases come from our code, never from input.
"""

from openmeet.domain.groups.model import FORMER_ROLES, INSIDE, roles_sql
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.moderation.labels import hides_event
from openmeet.domain.moderation.visibility import is_of_blocked_host, is_withheld
from openmeet.domain.users.erasure_requests import is_leaving


def is_listed(table: str) -> str:
    """SQL condition: the event may appear in lists at all: it is published, not gone, and has a date."""
    return (
        f"{table}.is_held = 0 and {table}.removed_at is null and {table}.deleted_at is null "
        f"and {table}.starts_at is not null"
    )


def is_not_over(table: str) -> str:
    """SQL condition: the event has not ended, or has no date yet. Needs the parameter ``now``."""
    return f"({table}.over_at is null or {table}.over_at > :now)"


def is_of_own_group(table: str) -> str:
    """SQL condition: the event belongs to a group that ``:user_id`` is in. Members see all its events."""
    return (
        f"{table}.group_id in (select og.id from groups og join group_members om on om.group_id = og.id"
        f" where og.deleted_at is null and om.user_id = :user_id and om.role in ({roles_sql(INSIDE)}))"
    )


def is_public(table: str) -> str:
    """SQL condition: the event is public by its host's choice, and so is its group, if any."""
    narrower = f"exists (select 1 from groups ng where ng.id = {table}.group_id and ng.visibility <> 'public')"
    return f"{table}.visibility = 'public' and not {narrower}"


def is_shut_out(table: str, person: str = ":user_id") -> str:
    """SQL condition: this person (a column or parameter) can no longer see the private event although they answered it,
    because they left its group or its author blocks them.
    """
    return (
        f"(exists (select 1 from groups sg join group_members sm on sm.group_id = sg.id"
        f" where sg.id = {table}.group_id and sg.deleted_at is null and sm.user_id = {person}"
        f" and sm.role in ({roles_sql(FORMER_ROLES)}) and (sg.visibility = 'private' or {table}.visibility = 'private'))"
        f" or {is_kept_from(table, person)})"
    )


def is_kept_from(table: str, person: str = ":user_id") -> str:
    """SQL condition: the event is private, its author blocks this person, and they do not administer its group."""
    administering = roles_sql(roles_with(GroupPermission.EDIT_ANY_EVENT))
    of_private_group = f"exists (select 1 from groups kg where kg.id = {table}.group_id and kg.visibility = 'private')"
    return (
        f"(({table}.visibility = 'private' or {of_private_group}) and exists (select 1 from user_blocks kb"
        f" where kb.user_id = {table}.author_id and kb.blocked_id = {person})"
        f" and not exists (select 1 from group_members km where km.group_id = {table}.group_id"
        f" and km.user_id = {person} and km.role in ({administering})))"
    )


def is_hidden(table: str) -> str:
    """SQL condition: only the author can see the event, for one of these reasons: the account with its record is
    inactive; moderation withholds the event, its series, its group, its author, their DID or its PDS
    (``moderation.visibility``); a label hides it (``moderation.labels``); or its author is deleting their account.
    """
    withheld = is_withheld(
        *(f"{table}.{name}" for name in ("id", "series_id", "group_id", "record_did", "author_id")),
        is_public=f"{table}.visibility = 'public'",
    )
    return (
        f"(exists (select 1 from identities i where i.did = {table}.record_did"
        f" and (i.status <> 'active' or {is_of_blocked_host('i.pds_url')})) or {withheld} or {hides_event(table)}"
        f" or {is_leaving(f'{table}.author_id')})"
    )
