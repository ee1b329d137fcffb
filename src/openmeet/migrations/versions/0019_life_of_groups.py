"""What groups live by: announcements, followers, offers of ownership, how long an owner may be away, what the log says."""

from groundwork.database.revision import apply

revision = "0019"
down_revision = "0018"

SQL = """
alter table groups add column absence_days integer not null default 90 check (absence_days between 60 and 730);
alter table groups add column wait_days integer not null default 14 check (wait_days between 7 and 90);
alter table groups add column backup_admin_id text references users (id);
alter table groups add column succession_reminded_at bigint;
alter table groups add column heir_id text references users (id);
alter table groups add column heir_offered_at bigint;
create index groups_of_owner on groups (owner_id) where deleted_at is null;
create index groups_in_succession on groups (succession_asked_at) where succession_asked_at is not null;

alter table group_invitations add column declined_at bigint;
alter table group_invitations add column uses integer not null default 1 check (uses >= 1);
update group_invitations set uses = 200 where email is null;
create index group_invitations_by_mail on group_invitations (group_id, email, created_at) where email is not null;

alter table group_roles_log add column note text not null default '';
create index group_roles_log_of_actor on group_roles_log (acted_by, created_at);

create table group_announcements (
  id text primary key,
  group_id text not null references groups (id),
  author_id text not null references users (id),
  text text not null,
  submission_key text,
  created_at bigint not null,
  removed_at bigint,
  removed_by text references users (id),
  unique (group_id, submission_key),
  check ((removed_at is null) = (removed_by is null))
);
create index group_announcements_of_group on group_announcements (group_id, created_at, id);

create table group_followers (
  group_id text not null references groups (id),
  user_id text not null references users (id),
  notifications_enabled integer not null default 1 check (notifications_enabled in (0, 1)),
  created_at bigint not null,
  updated_at bigint not null,
  primary key (group_id, user_id)
);
create index group_followers_by_user on group_followers (user_id, group_id);

create table group_events_told (
  event_id text primary key references events (id),
  told_at bigint not null
);
-- What was there before is no news.
insert into group_events_told (event_id, told_at) select id, created_at from events where group_id is not null;
"""


def upgrade() -> None:
    apply(SQL)
