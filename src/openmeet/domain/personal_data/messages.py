"""Tables about what a person receives and imports: notifications, webhooks, calendars, imports."""

from typing import Final

from openmeet.domain.notifications.queries import READABLE
from openmeet.domain.personal_data.model import (
    ADDRESS,
    ColumnAudience,
    OnErasure,
    PersonExport,
    Retention,
    StoredTable,
    person,
    personal,
    plain,
    secret,
    unexported,
)

_OWN = "user_id = :id"

NOTIFICATIONS: Final = (
    StoredTable(
        "notifications",
        "Notifications of a person. The details name others by id.",
        "user_id = :id or particulars like '%' || cast(:id as text) || '%'",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="kind subject_id subject_revision"),
            personal(ColumnAudience.SELF, "particulars read_at"),
            plain("id kind subject_id subject_revision is_shown is_for_digest mail_id created_at"),
        ),
        PersonExport.READABLE,
        export_rows=f"{_OWN} and {READABLE}",
    ),
    StoredTable(
        "notification_emails",
        "E-mails that bundle notifications.",
        _OWN,
        Retention.SHORT,
        OnErasure.DELETE,
        (person(ColumnAudience.NOBODY, "user_id"), plain("id subject due_at closed_at created_at")),
        not_exported="which notifications went into which e-mail",
    ),
    StoredTable(
        "notification_preferences",
        "The notifications that a person wants, and how they are delivered.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="topic channel"),
            personal(ColumnAudience.SELF, "topic channel is_on"),
            plain("updated_at"),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "notification_hours",
        "Quiet hours and the hour of the daily e-mail.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with=""),
            personal(ColumnAudience.SELF, "time_zone quiet_from quiet_until digest_hour"),
            plain("updated_at"),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "webhooks",
        "Webhooks: addresses that the site calls when something changes.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id"),
            personal(ColumnAudience.SELF, "url"),
            unexported(secret("sealed_secret")),
            plain("id group_id kinds failing_since off_why revision created_at updated_at"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "webhook_deliveries",
        "Calls of webhooks, pending and made.",
        "webhook_id in (select id from webhooks where user_id = :id)",
        Retention.SHORT,
        OnErasure.DELETE,
        (plain("id webhook_id kind subject_id state tries status why created_at settled_at revision"),),
        not_exported="what was sent to other servers",
    ),
)

CALENDARS: Final = (
    StoredTable(
        "calendar_feeds",
        "The secret address of a person’s own calendar.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (person(ColumnAudience.SELF, "user_id", unique_with=""), secret("token_hash"), plain("serial created_at")),
        not_exported="the hash of an address that works only on this site",
    ),
    StoredTable(
        "subscribed_calendars",
        "Calendars of other services that a person has added.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="digest"),
            personal(ColumnAudience.SELF, "name host problem"),
            unexported(personal(ColumnAudience.SELF, "content")),
            unexported(secret("url_sealed digest")),
            plain(
                "id health failures is_busy etag last_modified fetched_at changed_at next_fetch_at dates_until created_at"
                " reason tone is_shown"
            ),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "subscribed_dates",
        "Entries of these calendars.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id"),
            personal(ColumnAudience.SELF, "title place starts_at ends_at time_zone"),
            plain("calendar_id number is_all_day is_cancelled"),
        ),
        not_exported="computed from calendars of other services",
    ),
    StoredTable(
        "imports",
        "Uploaded files, until their import is confirmed.",
        _OWN,
        Retention.SHORT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id"),
            personal(ColumnAudience.SELF, "source content columns outcome"),
            plain("id what medium target created_at expires_at"),
        ),
        not_exported="uploaded files, kept for a week",
    ),
    StoredTable(
        "imported_events",
        "Mapping between entries of calendar files and events.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="uid"),
            personal(ColumnAudience.SELF, "uid last_import"),
            plain("made created_at"),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "imported_contacts",
        "People with an address on an imported list of guests or members. A list of members is deleted 90 days after "
        "its last use.",
        f"invited_by = :id or email = {ADDRESS}",
        Retention.ANSWER,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "invited_by"),
            personal(ColumnAudience.HOSTS, "email name status message"),
            plain("id what target stage invited_at created_at"),
        ),
        not_exported="other people’s addresses",
    ),
    StoredTable(
        "imported_names",
        "People without an address on such a list.",
        "",
        Retention.ANSWER,
        OnErasure.PARENT,
        (personal(ColumnAudience.HOSTS, "name status"), plain("what target created_at")),
        not_exported="names of other people",
    ),
)

MESSAGE_TABLES: Final = (*NOTIFICATIONS, *CALENDARS)
