"""What hosts write to those who answered."""

from groundwork.database.revision import apply

revision = "0021"
down_revision = "0020"

SQL = """
create table event_messages (
  id text primary key,
  event_id text not null references events (id),
  number integer not null check (number >= 1),
  author_id text not null references users (id),
  addressees text not null check (addressees <> ''),
  text text not null check (text <> ''),
  state text not null check (state in ('scheduled', 'sent', 'called_off')),
  send_at bigint not null,
  sent_at bigint,
  recipients integer not null check (recipients >= 0),
  created_at bigint not null,
  submission_key text,
  unique (event_id, number),
  unique (event_id, submission_key),
  check ((state = 'sent') = (sent_at is not null)),
  check (state = 'sent' or recipients = 0)
);
create index event_messages_due on event_messages (send_at, id) where state = 'scheduled';
"""


def upgrade() -> None:
    apply(SQL)
