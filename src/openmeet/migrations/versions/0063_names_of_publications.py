"""Rename columns of publications, and reasons why a record is not published, to what they mean."""

from typing import Final

from groundwork.database.revision import execute

revision = "0063"
down_revision = "0062"

# Old and new codes, after ``publication.``.
_RENAMED: Final = {
    "deleted_elsewhere": "host_decides_about_deletion",
    "no_series": "author_says_no_series",
    "other_date_published": "date_not_published",
    "not_allowed": "no_access_granted",
    "slower_writes": "write_budget_spent",
    "being_read": "accounts_being_read",
    "no_new_record": "no_successor_yet",
    "no_new_group_record": "no_group_successor_yet",
    "no_answers_to_event": "answers_stay_here",
    "author_must_agree": "host_decides_about_audience",
    "other_record_at_address": "key_occupied",
    "group_of_event_hidden": "group_events_private",
    "event_blank": "event_erased",
}


def upgrade() -> None:
    execute("alter table publications rename column sent_revision to completed_revision")
    execute("alter table publications rename column was_lost to was_deleted_elsewhere")
    for old, new in _RENAMED.items():
        renamed = f"replace(reason, '\"publication.{old}\"', '\"publication.{new}\"')"
        execute(f"update publications set reason = {renamed} where reason <> {renamed}")
        execute(f"update outbox_jobs set reason_code = 'publication.{new}' where reason_code = 'publication.{old}'")
