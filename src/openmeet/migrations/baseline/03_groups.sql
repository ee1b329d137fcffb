-- Groups, their members and their own records.

-- domain/groups: groups of people with common events.
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
  absence_days integer not null default 90 check (absence_days between 60 and 730),
  wait_days integer not null default 14 check (wait_days between 7 and 90),
  backup_admin_id text references users (id),
  succession_reminded_at bigint,
  heir_id text references users (id),
  heir_offered_at bigint,
  announces_events integer not null default 0 check (announces_events in (0, 1)),
  submission_digest bytea,
  account_id text references users (id),
  is_read_only integer not null default 0
    check (is_read_only in (0, 1) and (is_read_only = 0 or external_id is not null)),
  predecessor_uri text,
  picture_key text,
  picture_alt text,
  picture_width integer check (picture_width > 0),
  picture_height integer
    check (picture_height > 0 and (picture_key is null) = (picture_alt is null)
    and (picture_key is null) = (picture_width is null) and (picture_key is null) = (picture_height is null)),
  record_avatar text check (record_avatar is null or picture_key is null),
  picture_revision bigint not null default 0,
  constraint groups_created_by_submission_key_key unique (created_by, submission_key),
  constraint groups_succession_has_successor check ((successor_id is null) = (succession_asked_at is null))
);
create index groups_by_name on groups (search_text, id) where deleted_at is null and visibility = 'public';
create index groups_of_owner on groups (owner_id) where deleted_at is null;
create index groups_in_succession on groups (succession_asked_at) where succession_asked_at is not null;
create unique index groups_by_record on groups (external_id) where external_id is not null;
create index groups_by_account on groups (account_id) where account_id is not null;
create index groups_by_predecessor on groups (predecessor_uri) where predecessor_uri is not null;
create index groups_by_picture on groups (picture_key) where picture_key is not null;
create index groups_by_repository on groups (
  /*postgresql (split_part(external_id, '/', 3)) */
  /*sqlite (substr(substr(external_id, instr(external_id, '://') + 3), 1, instr(substr(external_id, instr(external_id, '://') + 3), '/') - 1)) */
) where external_id is not null;

-- domain/groups: every web address that a group has or had.
create table group_slugs (
  slug text primary key,
  group_id text not null references groups (id),
  created_at bigint not null
);
create index group_slugs_of_group on group_slugs (group_id);

-- domain/groups: members, requests to join and answers to them.
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
  network_role text not null default '' check (network_role in ('', 'owner', 'admin', 'moderator', 'member')),
  constraint group_members_group_id_user_id_key unique (group_id, user_id)
);
create unique index group_members_one_owner on group_members (group_id) where role = 'owner';
create index group_members_by_role on group_members (group_id, role, id);
create index group_members_by_user on group_members (user_id, role, group_id);
create index group_members_by_statement on group_members (external_id) where external_id is not null;
create index group_members_by_repository on group_members (
  /*postgresql (split_part(external_id, '/', 3)) */
  /*sqlite (substr(substr(external_id, instr(external_id, '://') + 3), 1, instr(substr(external_id, instr(external_id, '://') + 3), '/') - 1)) */
) where external_id is not null;

-- domain/groups: invitations, to an address or by a link.
create table group_invitations (
  id text primary key,
  group_id text not null references groups (id),
  email text,
  invited_by text not null references users (id),
  uses_left integer not null check (uses_left >= 0),
  expires_at bigint not null,
  revoked_at bigint,
  created_at bigint not null,
  declined_at bigint,
  uses integer not null default 1 check (uses >= 1)
);
create index group_invitations_of_group on group_invitations (group_id, created_at, id);
create index group_invitations_by_mail on group_invitations (group_id, email, created_at) where email is not null;

-- domain/groups: changes of roles and ownership.
create table group_roles_log (
  id text primary key,
  group_id text not null references groups (id),
  user_id text not null references users (id),
  acted_by text not null references users (id),
  act text not null,
  role_before text,
  role_after text,
  created_at bigint not null,
  note text not null default ''
);
create index group_roles_log_of_group on group_roles_log (group_id, created_at, id);
create index group_roles_log_of_actor on group_roles_log (acted_by, created_at);

-- domain/groups: accounts that a group follows in the network.
create table group_follows (
  group_id text not null references groups (id),
  did text not null,
  followed_by text not null references users (id),
  created_at bigint not null,
  primary key (group_id, did)
);
create index group_follows_by_did on group_follows (did);

-- domain/groups: users who follow a group without being members.
create table group_followers (
  group_id text not null references groups (id),
  user_id text not null references users (id),
  notifications_enabled integer not null default 1 check (notifications_enabled in (0, 1)),
  created_at bigint not null,
  updated_at bigint not null,
  primary key (group_id, user_id)
);
create index group_followers_by_user on group_followers (user_id, group_id);

-- domain/groups: messages of hosts to the members.
create table group_announcements (
  id text primary key,
  group_id text not null references groups (id),
  author_id text not null references users (id),
  text text not null,
  submission_key text,
  created_at bigint not null,
  removed_at bigint,
  removed_by text references users (id),
  constraint group_announcements_group_id_submission_key_key unique (group_id, submission_key),
  constraint group_announcements_removed_by_somebody check ((removed_at is null) = (removed_by is null))
);
create index group_announcements_of_group on group_announcements (group_id, created_at, id);

-- domain/groups: secret addresses of a group's calendar, one per member.
create table group_calendar_feeds (
  group_id text not null references groups (id) on delete cascade,
  user_id text not null references users (id) on delete cascade,
  serial integer not null check (serial >= 1),
  token_hash bytea unique,
  created_at bigint not null,
  primary key (group_id, user_id)
);
create index group_calendar_feeds_by_user on group_calendar_feeds (user_id);

-- domain/groups: statements of network records about memberships and events of groups.
create table group_statements (
  uri text primary key,
  saying text not null check (saying in ('membership', 'acceptance', 'event')),
  did text not null,
  group_uri text not null,
  about text not null,
  role text not null check (role in ('owner', 'admin', 'moderator', 'member')),
  refers_to text not null
);
create index group_statements_of_group on group_statements (group_uri, saying, about);
create index group_statements_about on group_statements (about, saying);
create index group_statements_of_repository on group_statements (did);
