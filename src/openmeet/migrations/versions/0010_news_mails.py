"""News by mail: kinds that can grow, what people chose, which news go into which mail, links that work without signing in."""

from groundwork.database.revision import apply

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The check on kinds goes, and SQLite can only do that by making the table anew. Which kinds there are the model says.
SQL = """
create table news_mails (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  subject text not null,
  due_at bigint not null,
  closed_at bigint,
  created_at bigint not null
);
create unique index news_mails_open on news_mails (user_id, subject) where closed_at is null;
create index news_mails_closed on news_mails (closed_at) where closed_at is not null;

create table notifications_grown (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  kind text not null check (kind <> ''),
  subject_id text not null,
  subject_revision bigint not null,
  particulars text not null default '{}',
  is_shown integer not null default 1 check (is_shown in (0, 1)),
  is_for_digest integer not null default 0 check (is_for_digest in (0, 1)),
  mail_id text references news_mails (id) on delete set null,
  created_at bigint not null,
  read_at bigint,
  check (is_for_digest = 0 or mail_id is null),
  unique (user_id, kind, subject_id, subject_revision)
);
insert into notifications_grown (id, user_id, kind, subject_id, subject_revision, particulars, created_at, read_at)
select id, user_id, kind, subject_id, subject_revision, particulars, created_at, read_at from notifications;
drop table notifications;
alter table notifications_grown rename to notifications;
create index notifications_by_user on notifications (user_id, created_at, id);
create index notifications_by_mail on notifications (mail_id) where mail_id is not null;
create index notifications_for_digest on notifications (user_id) where is_for_digest = 1;

create table notification_preferences (
  user_id text not null references users (id) on delete cascade,
  topic text not null check (topic <> ''),
  channel text not null check (channel in ('in_app', 'email', 'digest')),
  is_on integer not null check (is_on in (0, 1)),
  updated_at bigint not null,
  primary key (user_id, topic, channel)
);

create table notification_hours (
  user_id text primary key references users (id) on delete cascade,
  time_zone text not null,
  quiet_from text,
  quiet_until text,
  digest_hour integer not null check (digest_hour between 0 and 23),
  updated_at bigint not null,
  check ((quiet_from is null) = (quiet_until is null))
);

create table mail_links (
  user_id text not null references users (id) on delete cascade,
  purpose text not null check (purpose in ('unsubscribe', 'answer')),
  subject text not null,
  serial bigint not null check (serial > 0),
  token_hash bytea unique,
  created_at bigint not null,
  primary key (user_id, purpose, subject)
);
"""


def upgrade() -> None:
    apply(SQL)
