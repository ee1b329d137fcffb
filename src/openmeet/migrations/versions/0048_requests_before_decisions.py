"""Why an RSVP took no seat before a change, so that undoing a host's decision restores it."""

from groundwork.database.revision import execute

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    execute("alter table attendance_history add column before_pending_for text")
