"""Groups, who belongs to them in which role, invitations, what was done about roles, and which group an event belongs to."""

from groundwork.database.revision import apply

revision = "0009"
down_revision = "0008"

SQL = """
create table groups (
  id text primary key,
  slug text not null unique,
  name text not null,
  description text not null,
  locality text not null,
  country text not null,
  latitude text not null,
  longitude text not null,
  time_zone text not null,
  join_policy text not null check (join_policy in ('open', 'request', 'invite')),
  join_question text not null,
  visibility text not null check (visibility in ('public', 'unlisted', 'private')),
  promotion_level text not null check (promotion_level in ('private', 'members', 'public')),
  owner_id text not null references users (id),
  created_by text not null references users (id),
  backup_admin_did text,
  successor_id text references users (id),
  succession_asked_at bigint,
  sync_enabled integer not null default 0 check (sync_enabled in (0, 1)),
  external_id text,
  external_cid text,
  external_source text,
  search_text text not null,
  submission_key text,
  revision integer not null check (revision >= 1),
  deleted_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  unique (created_by, submission_key),
  check ((successor_id is null) = (succession_asked_at is null))
);
create index groups_by_name on groups (search_text, id) where deleted_at is null and visibility = 'public';

create table group_slugs (
  slug text primary key,
  group_id text not null references groups (id),
  created_at bigint not null
);
create index group_slugs_of_group on group_slugs (group_id);

create table group_members (
  id text primary key,
  group_id text not null references groups (id),
  user_id text not null references users (id),
  role text not null
    check (role in ('owner', 'admin', 'moderator', 'member', 'pending', 'declined', 'left', 'banned')),
  answer text not null,
  requested_at bigint,
  joined_at bigint,
  decided_by text references users (id),
  decided_at bigint,
  notifications_enabled integer not null default 1 check (notifications_enabled in (0, 1)),
  external_id text,
  external_did text,
  sync_enabled integer not null default 0 check (sync_enabled in (0, 1)),
  revision integer not null check (revision >= 1),
  created_at bigint not null,
  updated_at bigint not null,
  unique (group_id, user_id)
);
create unique index group_members_one_owner on group_members (group_id) where role = 'owner';
create index group_members_by_role on group_members (group_id, role, id);
create index group_members_by_user on group_members (user_id, role, group_id);

create table group_invitations (
  id text primary key,
  group_id text not null references groups (id),
  email text,
  invited_by text not null references users (id),
  uses_left integer not null check (uses_left >= 0),
  expires_at bigint not null,
  revoked_at bigint,
  created_at bigint not null
);
create index group_invitations_of_group on group_invitations (group_id, created_at, id);

create table group_roles_log (
  id text primary key,
  group_id text not null references groups (id),
  user_id text not null references users (id),
  acted_by text not null references users (id),
  act text not null,
  role_before text,
  role_after text,
  created_at bigint not null
);
create index group_roles_log_of_group on group_roles_log (group_id, created_at, id);

create table group_follows (
  group_id text not null references groups (id),
  did text not null,
  followed_by text not null references users (id),
  created_at bigint not null,
  primary key (group_id, did)
);
create index group_follows_by_did on group_follows (did);

alter table events add column group_id text references groups (id);
create index events_of_group_by_start on events (group_id, starts_at, id) where group_id is not null;
create index event_series_of_group on event_series (group_id) where group_id is not null;
"""


def upgrade() -> None:
    apply(SQL)
