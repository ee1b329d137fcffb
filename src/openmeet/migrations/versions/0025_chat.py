"""Rooms in which people talk, who is in them, and what they said."""

from groundwork.database.revision import apply

revision = "0025"
down_revision = "0024"

SQL = """
create table chat_rooms (
  id text primary key,
  event_id text unique references events (id),
  series_id text unique references event_series (id),
  group_id text references groups (id),
  name text not null,
  matrix_room_id text unique,
  external_source text,
  revision integer not null check (revision >= 1),
  closed_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  check ((case when event_id is null then 0 else 1 end) + (case when series_id is null then 0 else 1 end)
         + (case when group_id is null then 0 else 1 end) <= 1)
);
create index chat_rooms_of_group on chat_rooms (group_id) where group_id is not null;

create table chat_members (
  room_id text not null references chat_rooms (id) on delete cascade,
  user_id text not null references users (id),
  role text not null check (role in ('host', 'member')),
  notifications_enabled integer not null default 1 check (notifications_enabled in (0, 1)),
  read_up_to text,
  joined_at bigint not null,
  left_at bigint,
  primary key (room_id, user_id)
);
create index chat_members_by_user on chat_members (user_id, room_id);

create table chat_messages (
  id text primary key,
  room_id text not null references chat_rooms (id) on delete cascade,
  user_id text not null references users (id),
  body text not null,
  reply_to text references chat_messages (id),
  external_id text,
  revision integer not null check (revision >= 1),
  removed_at bigint,
  removed_by text references users (id),
  created_at bigint not null,
  updated_at bigint not null,
  unique (room_id, external_id),
  check (removed_at is null or body = ''),
  check (removed_by is null or removed_at is not null)
);
create index chat_messages_of_room on chat_messages (room_id, id);
create index chat_messages_by_user on chat_messages (user_id);
"""


def upgrade() -> None:
    apply(SQL)
