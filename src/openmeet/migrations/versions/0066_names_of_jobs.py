"""Store the kinds of jobs and of e-mails by the names that the program has for them."""

from typing import Final

from groundwork.database.revision import execute

revision = "0066"
down_revision = "0065"

# Old and new kinds of jobs.
_RENAMED: Final = {
    "waiting_answers": "gained_access",
    "suspended_person": "blocked_person",
    "compare_answers": "compare_rsvps",
    "freed_seats": "fill_seats",
    "standing_answers": "new_date",
    "chat_news": "notify_chat",
    "late_create": "late_write",
}


def upgrade() -> None:
    for old, new in _RENAMED.items():
        execute(f"update outbox_jobs set kind = '{new}' where kind = '{old}'")
    # The subject of an e-mail begins with its kind, which a unit separator ends.
    execute(
        "update outbox_jobs set subject = 'notification' || substr(subject, length('news') + 1)"
        " where kind = 'mail' and subject like 'news\x1f%'"
    )
