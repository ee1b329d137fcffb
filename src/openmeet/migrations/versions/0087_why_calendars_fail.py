"""Why a subscribed calendar could not be read, as a code; those that fail now get theirs at the next try."""

from groundwork.database.revision import apply

revision = "0087"
down_revision = "0086"

SQL = """
alter table subscribed_calendars add column reason text not null default ''
  check (reason in ('', 'gone', 'unreachable', 'no_calendar', 'too_large', 'too_much_work', 'address_lost'));
"""


def upgrade() -> None:
    apply(SQL)
