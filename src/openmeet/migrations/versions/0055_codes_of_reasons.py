"""Store reasons why a record is not published by the names that the program has for them."""

from typing import Final

from groundwork.database.revision import execute

revision = "0055"
down_revision = "0054"

# Old and new codes, after ``publication.``.
_RENAMED: Final = {
    "speaker_not_agreed": "record_holder_not_agreed",
    "recalled": "withdrawn",
    "kept_off": "publishing_turned_off",
    "no_events": "events_not_wanted",
    "no_answers": "answers_not_wanted",
    "no_declined": "declined_not_wanted",
    "says_too_much": "record_too_detailed",
    "group_kept_off": "group_publishing_turned_off",
    "former_record_gone": "superseded_record_gone",
    "answer_without_record": "response_without_record",
    "answer_without_list": "response_without_list",
    "switched_off": "flag_off",
}


def upgrade() -> None:
    for old, new in _RENAMED.items():
        renamed = f"replace(reason, '\"publication.{old}\"', '\"publication.{new}\"')"
        execute(f"update publications set reason = {renamed} where reason <> {renamed}")
        execute(f"update outbox_jobs set reason_code = 'publication.{new}' where reason_code = 'publication.{old}'")
