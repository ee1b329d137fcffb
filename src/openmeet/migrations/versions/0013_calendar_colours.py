"""Give subscribed calendars a colour and let people hide them; let people choose the first day of their week."""

from groundwork.database.revision import execute

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    execute("alter table subscribed_calendars add column tone integer not null default 0 check (tone between 0 and 8)")
    execute(
        "alter table subscribed_calendars add column is_shown integer not null default 1 check (is_shown in (0, 1))"
    )
    # Assign the colours in turn, as ``insert`` does for new calendars.
    execute(
        """
        update subscribed_calendars
           set tone = (select count(*) from subscribed_calendars other
                        where other.user_id = subscribed_calendars.user_id and other.id < subscribed_calendars.id) % 9
        """
    )
    execute("alter table users add column week_start integer check (week_start between 0 and 6)")
