"""Store the kinds of jobs and e-mails, and the steps that failed for records, by the names that the program has for
them.
"""

from typing import Final

from groundwork.database.revision import engine, execute, redefine

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
_STEPS: Final = {"taking": "apply", "mending": "repair", "counting": "apply_awaiting"}


def upgrade() -> None:
    for old, new in _RENAMED.items():
        execute(f"update outbox_jobs set kind = '{new}' where kind = '{old}'")
    # The subject of an e-mail begins with its kind, which a unit separator ends.
    execute(
        "update outbox_jobs set subject = 'notification' || substr(subject, length('news') + 1)"
        " where kind = 'mail' and subject like 'news\x1f%'"
    )
    _rename_steps()


def _rename_steps() -> None:
    if engine() == "sqlite":
        execute("pragma ignore_check_constraints = on")
    else:
        execute("alter table quarantined_records drop constraint quarantined_records_step_check")
    for old, new in _STEPS.items():
        execute(f"update quarantined_records set step = '{new}' where step = '{old}'")
    before, after = (", ".join(f"'{one}'" for one in names) for names in (_STEPS.keys(), _STEPS.values()))
    if engine() == "sqlite":
        execute("pragma ignore_check_constraints = off")
        redefine("quarantined_records", before, after)
    else:
        execute(
            f"alter table quarantined_records add constraint quarantined_records_step_check check (step in ({after}))"
        )
