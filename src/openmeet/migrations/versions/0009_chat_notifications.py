"""Notifications of chat: up to which message of a room each person was notified, and e-mail links for replying to a
message, which are valid for some days.
"""

from groundwork.database.revision import execute

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute("alter table chat_rooms add column told_number bigint not null default 0")
    # Nobody is notified about messages from before this migration.
    execute("update chat_rooms set told_number = last_number")
    execute(
        "create index notification_emails_sent on notification_emails (user_id, subject, closed_at) where closed_at is not null"
    )
    # SQLite cannot change a check constraint.
    execute("alter table email_links rename to email_links_before")
    execute(
        """
        create table email_links (
          user_id text not null references users (id) on delete cascade,
          purpose text not null check (purpose in ('unsubscribe', 'answer', 'chat')),
          subject text not null,
          serial bigint not null check (serial > 0),
          token_hash bytea,
          created_at bigint not null,
          expires_at bigint,
          constraint email_links_one_each primary key (user_id, purpose, subject),
          constraint email_links_token unique (token_hash)
        )
        """
    )
    execute(
        """
        insert into email_links (user_id, purpose, subject, serial, token_hash, created_at)
        select user_id, purpose, subject, serial, token_hash, created_at from email_links_before
        """
    )
    execute("drop table email_links_before")
