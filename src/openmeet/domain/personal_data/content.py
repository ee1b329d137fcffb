"""Tables about events and series, and about RSVPs to them."""

from typing import Final

from openmeet.domain.events.content import FIELDS
from openmeet.domain.personal_data.model import (
    ADDRESS,
    ColumnAudience,
    OnErasure,
    PersonExport,
    Retention,
    StoredTable,
    account,
    person,
    personal,
    plain,
    secret,
    unexported,
)

_OWN = "user_id = :id"
_HOSTED = (
    "subject_id in (select id from events where author_id = :id and origin = 'here' union all select id "
    "from event_series where user_id = :id)"
)


def _of_content(*, is_free_text: bool, has_audience: bool | None = None) -> str:
    """Names of the columns with an event's content.

    ``is_free_text``: columns with text that the host wrote, or else with values that the host chose. ``has_audience``:
    columns for people whom the host chose, or else for everyone who sees the event.
    """
    return " ".join(
        name
        for field in FIELDS
        if field.stored is not None
        and field.stored.is_free_text is is_free_text
        and (has_audience is None or bool(field.audience) is has_audience)
        for name in field.stored.names
    )


EVENTS: Final = (
    StoredTable(
        "events",
        "Events, made here or found on the network. If the host chose so, only attendees see places, links and "
        "arrival notes.",
        "author_id = :id",
        Retention.CONTENT,
        OnErasure.PASS_ON,
        (
            person(ColumnAudience.EVENT, "author_id"),
            account(ColumnAudience.EVENT, "record_uri record_did external_id external_source"),
            personal(
                ColumnAudience.EVENT,
                f"slug status_reason {_of_content(is_free_text=True, has_audience=False)} extra picture_key starts_text"
                " ends_text",
            ),
            personal(
                ColumnAudience.ATTENDEES,
                f"{_of_content(is_free_text=True, has_audience=True)} place_x place_y place_z derived_from matrix_room_id",
            ),
            personal(
                ColumnAudience.NOBODY,
                "search_text search_words external_data submission_key submission_digest draft_fields",
            ),
            plain(
                f"id {_of_content(is_free_text=False)} starts_at ends_at over_at removes_at starts_local time_zone "
                "status status_before origin record_cid revision is_read_only is_held removed_at deleted_at "
                "created_at updated_at series_id original_date is_modified_occurrence overridden_fields "
                "is_published_by_policy external_cid group_id is_all_day is_draft publish_at needs_author_approval "
                "is_cancelled_with_series completed_at record_wanted record_detail record_announced record_answers "
                "group_notice retractions record_deleted_at zone_source"
            ),
        ),
        PersonExport.IMPORTED,
        export_rows="author_id = :id and origin = 'here'",
    ),
    StoredTable(
        "event_drafts",
        "Forms that somebody filled in before signing in. They do not belong to a person yet.",
        "",
        Retention.SHORT,
        OnErasure.EXPIRE,
        (personal(ColumnAudience.NOBODY, "fields"), secret("token_hash"), plain("created_at expires_at")),
        not_exported="forms that do not belong to a person yet",
    ),
    StoredTable(
        "event_co_hosts",
        "Co-hosts, invited or accepted.",
        f"user_id = :id or user_id is null and email = {ADDRESS}",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.EVENT, "user_id", unique_with="event_id"),
            person(ColumnAudience.HOSTS, "invited_by"),
            personal(ColumnAudience.HOSTS, "email", Retention.INVITATION),
            plain("id event_id state created_at expires_at decided_at is_for_series is_asked_for_series offered_at"),
        ),
        PersonExport.READABLE,
        export_rows=_OWN,
        remaining_rows="co-hosts whom they invited stay, with the id of the empty row",
    ),
    StoredTable(
        "co_host_publications",
        "Changes that co-hosts made to records in the author’s network account.",
        "author_id = :id or co_host_id = :id",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (person(ColumnAudience.SELF, "author_id co_host_id"), plain("id event_id revision created_at")),
        PersonExport.READABLE,
    ),
    StoredTable(
        "retired_calendar_uids",
        "Earlier dates and times of dates of series, so that calendars that have them can be corrected.",
        "",
        Retention.PARENT,
        OnErasure.KEEP,
        (plain("event_id series_id original_date time_zone is_all_day sequence left_at"),),
        not_exported="former dates and times, for calendars that received them here",
    ),
    StoredTable(
        "retired_slugs",
        "Hashes of former page addresses of events, series and groups, so that they are not used again.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (plain("kind slug_hash subject_id retired_at"),),
        not_exported="hashes of links that no longer work",
    ),
    StoredTable(
        "host_messages",
        "Messages from hosts to attendees.",
        "author_id = :id",
        Retention.CONTENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.ATTENDEES, "author_id"),
            personal(ColumnAudience.ATTENDEES, "text addressees"),
            personal(ColumnAudience.NOBODY, "submission_key"),
            plain("id event_id number state send_at sent_at recipients created_at"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "event_photos",
        "Photos that hosts and guests added to an event. Files without an event are removed within an hour, or "
        "once no report about the photo is open. If a host removed a photo, or its author removed a hidden or reported "
        "one, the row stays without the caption, so that it is not added again.",
        _OWN,
        Retention.CONTENT,
        OnErasure.PARENT,
        (
            person(ColumnAudience.PHOTO_VIEWERS, "user_id", unique_with="event_id digest"),
            personal(ColumnAudience.PHOTO_VIEWERS, "key caption"),
            unexported(personal(ColumnAudience.NOBODY, "digest")),
            plain("event_id removed_from has_files width height size waits_until created_at"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "search_index",
        "Index of the words of public events (SQLite; PostgreSQL has an index over `events`).",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (personal(ColumnAudience.NOBODY, "words"),),
        not_exported="computed from events",
    ),
    StoredTable(
        "search_numbers",
        "Mapping between entries of this index and events.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (plain("number event_id"),),
        not_exported="computed from events",
    ),
)

SERIES: Final = (
    StoredTable(
        "event_series",
        "Series: events that repeat. The template holds what their dates have in common.",
        _OWN,
        Retention.CONTENT,
        OnErasure.PASS_ON,
        (
            person(ColumnAudience.EVENT, "user_id"),
            account(ColumnAudience.EVENT, "record_uri external_id external_source"),
            personal(ColumnAudience.EVENT, "slug name description template status_reason"),
            personal(ColumnAudience.ATTENDEES, "matrix_room_id"),
            personal(ColumnAudience.NOBODY, "external_data submission_key submission_digest"),
            plain(
                "id time_zone recurrence_rule recurrence_exceptions recurrence_dates starts_local is_all_day "
                "duration status publication_policy group_id split_from external_cid is_read_only revision "
                "stored_until deleted_at created_at updated_at record_wanted record_detail record_announced "
                "record_answers needs_author_approval"
            ),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "event_series_followers",
        "Who follows a series.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "user_id", unique_with="series_id"),
            plain("series_id notifications_enabled created_at updated_at"),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "event_series_standing_rsvps",
        "People who are going to every date of a series.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (person(ColumnAudience.HOSTS, "user_id", unique_with="series_id"), plain("series_id with_limited created_at")),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "event_series_invitations",
        "People invited to later dates of a series, and the address that the host typed.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "user_id", unique_with="series_id"),
            person(ColumnAudience.HOSTS, "invited_by"),
            personal(ColumnAudience.HOSTS, "invited_as"),
            plain("series_id created_at ended_at"),
        ),
        not_exported=(
            "people whom hosts will invite to later dates; invitations to present dates are exported with the answers"
        ),
        remaining_rows="people whom they invited stay invited, with the id of the empty row",
    ),
    StoredTable(
        "event_series_offers",
        "Series that are offered to a new owner.",
        "from_user_id = :id or to_user_id = :id",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (person(ColumnAudience.HOSTS, "from_user_id to_user_id"), plain("series_id created_at")),
        not_exported="offers between two people",
    ),
    StoredTable(
        "event_series_former_rules",
        "Former rules of a series, so that old addresses of its dates still work.",
        "",
        Retention.PARENT,
        OnErasure.KEEP,
        (
            plain(
                "series_id revision starts_local time_zone recurrence_rule recurrence_exceptions recurrence_dates "
                "is_all_day left_at"
            ),
        ),
        not_exported="former rules, which redirect old addresses on this site",
    ),
    StoredTable(
        "event_series_undos",
        "Rows as they were before a change to a series, so that it can be undone within ten minutes.",
        "",
        Retention.SHORT,
        OnErasure.EXPIRE,
        (
            personal(ColumnAudience.NOBODY, "kept made"),
            plain("id series_id act is_silent created_at expires_at undone_at"),
        ),
        not_exported="needed only for undoing a change within ten minutes",
    ),
    StoredTable(
        "series_detections",
        "Single events that look like a series.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="key"),
            personal(ColumnAudience.SELF, "key"),
            plain("id state series_id rule time_zone dates missing confidence created_at updated_at"),
        ),
        not_exported="computed from the person’s events",
    ),
)

ANSWERS: Final = (
    StoredTable(
        "attendances",
        "Answers to events, and unanswered invitations with the address that the host typed. If somebody withdraws an"
        " answer, what they wrote is deleted 30 days later (`OPENMEET_DELETED_KEPT_DAYS`); that they declined stays.",
        # In addition to the person's RSVPs, includes rows in which hosts see only the address. Such a row belongs to
        # nobody else (``attendance.invitations``).
        f"user_id = :id or invited_as = {ADDRESS} and status in ('invited', 'rejected')"
        " and user_id in (select user_id from guests where email is null)",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.ATTENDEES, "user_id", unique_with="event_id"),
            account(ColumnAudience.ATTENDEES, "record_uri"),
            personal(ColumnAudience.ATTENDEES, "status party mode is_private"),
            personal(ColumnAudience.HOSTS, "guest_names replies reply_words invited_as", Retention.ANSWER),
            plain(
                "id event_id waitlist_number source revision created_at answered_at offered_until pending_for approved_at"
                " known_starts_at skips_record calendar_entry"
            ),
        ),
        PersonExport.IMPORTED,
        export_rows=_OWN,
    ),
    StoredTable(
        "attendance_history",
        "History of each answer.",
        "attendance_id in (select id from attendances where user_id = :id)",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            unexported(person(ColumnAudience.HOSTS, "actor_id")),
            personal(ColumnAudience.HOSTS, "before_status before_pending_for after_status party mode"),
            plain("id attendance_id revision event_id through is_offered changed_at"),
        ),
        PersonExport.READABLE,
        remaining_rows=(
            "their decisions about answers of others stay in the history of those answers, with the id of the empty row"
        ),
    ),
    StoredTable(
        "attendance_proofs",
        "Proofs of attendance that people made, with the account that a proof shows. Everyone to whom they give the"
        " address sees it.",
        "attendance_id in (select id from attendances where user_id = :id)",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            account(ColumnAudience.SELF, "did"),
            unexported(secret("token_hash")),
            plain("id attendance_id made_at withdrawn_at"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "registration_settings",
        "How people register for an event or a series, and what they are asked.",
        _HOSTED,
        Retention.PARENT,
        OnErasure.PARENT,
        (
            personal(ColumnAudience.EVENT, "questions"),
            plain(
                "subject_id limit_in_person limit_online needs_approval closes_hours_before max_party asks_names"
                " is_members_only list_audience foreign_answers takes_guests revision updated_at"
            ),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "guest_rsvps",
        "Answers of guests who have not yet confirmed their address.",
        f"email = {ADDRESS}",
        Retention.SHORT,
        OnErasure.DELETE,
        (
            personal(ColumnAudience.NOBODY, "email display_name request language"),
            plain("id event_id created_at expires_at used_at"),
        ),
        not_exported="answers of guests who have not yet confirmed their address",
    ),
)

CONTENT_TABLES: Final = (*EVENTS, *SERIES, *ANSWERS)
