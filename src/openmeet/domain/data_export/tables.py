"""Which rows of every table belong to a user. A test requires every table of the database to be listed here.

``OWN`` is exported and imported; ``TOLD`` is exported for the user to read, but not imported; ``NOT_THEIRS`` is
neither, each with its reason; ``OF_THE_SITE`` holds no personal data that is not elsewhere. ``OWN`` is in dependency
order: referenced rows come first.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from groundwork.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """The rows of a table (``where``) that belong to the user.

    ``needs``: columns with the table whose row must exist before a row is imported. ``lets_go``: columns set to null if
    that row is missing. ``without``: columns that are never exported. ``below``, for tables without a user column: the
    column of the parent, and the query of the user's parents (``id``).
    """

    table: str
    where: str
    needs: Mapping[str, str]
    lets_go: Mapping[str, str]
    without: tuple[str, ...] = ()
    below: tuple[str, str] | None = None


def _part(
    table: str,
    where: str,
    needs: Mapping[str, str] | None = None,
    lets_go: Mapping[str, str] | None = None,
    without: tuple[str, ...] = (),
) -> ExportedTable:
    return ExportedTable(table, where, needs or {}, lets_go or {}, without)


def _below(table: str, column: str, ids: str) -> ExportedTable:
    """Rows that belong to the user because their parent does."""
    return ExportedTable(table, f"{column} in ({ids})", {}, {}, below=(column, ids))


_SEARCHES = "select id from saved_searches where user_id = :id"
_HOSTED = """
    select id from events where author_id = :id and origin = 'here' union all select id from event_series where user_id = :id
"""


OWN: Final = (
    _part("users", "id = :id"),
    _part(
        "groups",
        "owner_id = :id and deleted_at is null",
        {"owner_id": "users", "created_by": "users"},
        {"successor_id": "users", "heir_id": "users", "backup_admin_id": "users", "account_id": "users"},
        # Published elsewhere, these are other records in another repository.
        ("external_id", "external_cid", "external_source"),
    ),
    _part("event_series", "user_id = :id", {"user_id": "users"}, {"split_from": "event_series", "group_id": "groups"}),
    _part(
        "events",
        "author_id = :id and origin = 'here'",
        {"author_id": "users", "series_id": "event_series"},
        {"group_id": "groups"},
    ),
    _part("attendances", "user_id = :id", {"user_id": "users", "event_id": "events"}),
    _part("event_series_followers", "user_id = :id", {"user_id": "users", "series_id": "event_series"}),
    _part("event_series_answers", "user_id = :id", {"user_id": "users", "series_id": "event_series"}),
    _part(
        "group_members",
        "user_id = :id",
        {"user_id": "users", "group_id": "groups"},
        {"decided_by": "users"},
        ("external_id", "external_did", "network_role"),
    ),
    _part("group_followers", "user_id = :id", {"user_id": "users", "group_id": "groups"}),
    _part("notification_preferences", "user_id = :id", {"user_id": "users"}),
    _part("notification_hours", "user_id = :id", {"user_id": "users"}),
    _part("record_preferences", "user_id = :id", {"user_id": "users"}),
    _part("person_followers", "user_id = :id", {"user_id": "users", "followed_id": "users"}),
    _part("saved_searches", "user_id = :id", {"user_id": "users"}),
    _below("saved_search_keys", "search_id", _SEARCHES),
    # Refers to an event or a series in one column, so there is no foreign key.
    _below("joining_settings", "subject_id", _HOSTED),
    _part("imported_events", "user_id = :id", {"user_id": "users"}),
)

TOLD: Final = (
    _part("identities", "user_id = :id"),
    _part("consents", "user_id = :id"),
    _part("event_hosts", "user_id = :id"),
    _part("co_host_publications", "author_id = :id or co_host_id = :id"),
    _part("event_messages", "author_id = :id"),
    _part("group_announcements", "author_id = :id"),
    _part(
        "attendance_changes", "attendance_id in (select id from attendances where user_id = :id)", without=("actor_id",)
    ),
    _part("notifications", "user_id = :id"),
    _part("pictures", "user_id = :id"),
    _part("chat_messages", "user_id = :id", without=("removed_by",)),
    _part("chat_members", "user_id = :id"),
    _part("webhooks", "user_id = :id", without=("sealed_secret",)),
    _part("api_tokens", "user_id = :id", without=("token_hash",)),
    _part("person_blocks", "user_id = :id"),
    _part("mutes", "user_id = :id"),
    _part("reports", "reporter_id = :id", without=("closed_by_act",)),
    _part("subscribed_calendars", "user_id = :id", without=("url_sealed", "digest", "content")),
)

NOT_THEIRS: Final[Mapping[str, str]] = {
    "claims": "which rows of this site turned out to be one person",
    "sessions": "browsers that are signed in here",
    "calendar_feeds": "the hash of an address that works here alone",
    "group_calendar_feeds": "hashes of addresses that work here alone",
    "mail_links": "hashes of links that work here alone",
    "idempotency_keys": "answers to programs, kept for a day",
    "imports": "files that were looked at, kept for a week",
    "imported_people": "other people’s addresses",
    "subscribed_dates": "computed from calendars that others keep",
    "news_mails": "which news went into which mail",
    "publications": "what this site owes to the person’s repository",
    "custodial_accounts": "the key to an account that is taken over on its own page",
    "recovery_keys": "shown once on a page of their own to whoever took an account over; a file that is sent about is no place for one",
    "series_detections": "what was found among events that are there, and is found again",
    "event_series_invitations": "what hosts want to be asked of later dates; what was asked stands with the answers",
    "event_series_offers": "offers between two people",
    "group_follows": "the group’s, whoever added it",
    "group_invitations": "the group’s, whoever made it",
    "group_roles_log": "the group’s memory of what was done in it",
    "moderators": "a task at this site",
    "guests": "answers without an account, until they are claimed",
    "guest_answers": "answers of guests that wait for their mail to be opened",
    "event_drafts": "what somebody typed before they signed in: nobody’s yet",
    "chat_rooms": "where what was said stands; each has its own event, series or group",
    "conflicts": "what was decided between this site and a record, which is read again",
    "email_challenges": "codes on their way",
    "email_code_guesses": "how many codes were guessed for an address today: a hash, kept for a day",
    "authorizations": "sign-ins under way: they last ten minutes",
    "repository_sessions": "keys to the person’s repository: they sign in there again",
    "first_reads": "how far this site has read the person’s repository",
    "records": "copies of what stands in repositories",
    "former_records": "what this site still owes to the person’s repository",
    "group_former_records": "what this site still owes to a group’s repository",
    "event_former_places": "where a date of a series was, for calendars that got it here",
    "event_series_former_rules": "where old addresses of dates lead at this site",
    "event_series_undos": "what can be taken back for a moment",
    "event_series_tellings": "people who are yet to be told",
    "event_tellings": "people who are yet to be told",
    "group_events_told": "of which events groups were told",
    "group_slugs": "addresses that lead on at this site alone",
    "retired_slugs": "links that lead nowhere any more",
    "group_statements": "what repositories say of groups",
    "imported_names": "names of other people",
    "legacy_rows": "which row of an older database became which",
    "new_events": "events that searches have yet to be compared with, noted again as they are taken in",
    "saved_search_finds": "of which finds this site has told",
    "webhook_deliveries": "what was sent to addresses that others run",
    "moderation_states": "what this site’s moderators decided",
    "labels": "what labellers say of the network’s accounts and events; heard again",
    "moderation_log": "what this site’s moderators did, and to whom else",
    "addresses_left_alone": "addresses that asked for no more mail from here",
    "creates_in_doubt": "what this site asked of a repository and heard no answer to",
    "updates_in_doubt": "what this site asked of a repository and heard no answer to",
    "discrepancies": "where this site and a repository were found to differ",
    "records_put_aside": "which records of a repository could not be read, for whoever runs this site",
    "erasures": "hashes of what was taken away everywhere",
    "debts": "what this site owes to others, and reckons anew",
}

OF_THE_SITE: Final = frozenset(
    {
        "alembic_version_openmeet",
        "client_keys",
        "feature_flag_changes",
        "feature_flags",
        "labellers",
        "legacy_runs",
        "missed_revs",
        "moderation_policy",
        "network_authors",
        "network_hosts",
        "pds_circuits",
        "repositories",
        "search_index",
        "search_numbers",
        "service_credentials",
        "subjects",
    }
)


Value = int | str | bytes | None


def to_json(value: Value) -> Any:
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def from_json(value: Any, where: str) -> Value:
    """Raises InvalidInput for a value that no export contains."""
    match value:
        case bool() | float():
            raise InvalidInput("file", f"{where} holds a value that no export holds.")
        case None | int() | str():
            return value
        case {"$bytes": str() as text}:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error:
                raise InvalidInput("file", f"{where} holds bytes that cannot be read.") from None
        case _:
            raise InvalidInput("file", f"{where} holds a value that no export holds.")


def camel(name: str) -> str:
    """The JSON name of a column."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def object_of(columns: Sequence[str], row: Sequence[Value]) -> dict[str, Any]:
    return {camel(name): to_json(value) for name, value in zip(columns, row, strict=True)}


def row_of(columns: Sequence[str], found: Mapping[str, Any], where: str) -> list[Value]:
    """The values in column order. Raises InvalidInput if the columns differ."""
    names = [camel(name) for name in columns]
    if sorted(names) != sorted(found):
        odd = ", ".join(sorted(set(names) ^ set(found)))
        raise InvalidInput("file", f"{where} has other columns than this table: {odd}.")
    return [from_json(found[name], where) for name in names]
