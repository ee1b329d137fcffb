"""Answers with parties, ways of taking part, offers, replies and a history; how people get into events; guests by e-mail."""

from groundwork.database.revision import apply

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SQL = """
alter table attendances add column party integer not null default 1 check (party between 1 and 20);
alter table attendances add column mode text check (mode is null or mode in ('in_person', 'online'));
alter table attendances add column offered_until bigint check (offered_until is null or status = 'waitlisted');
alter table attendances add column pending_for text
  check (pending_for is null or status = 'pending' and pending_for in ('approval', 'apart', 'unclear'));
alter table attendances add column approved_at bigint;
alter table attendances add column is_private integer not null default 0 check (is_private in (0, 1));
alter table attendances add column guest_names text not null default '[]';
alter table attendances add column invited_as text;
alter table attendances add column replies text not null default '{}';
update attendances set pending_for = 'apart' where status = 'pending';
create index attendances_holding on attendances (event_id, mode, party)
 where status in ('attending', 'attended') or offered_until is not null;
create index attendances_offered on attendances (offered_until) where offered_until is not null;

create table attendance_changes (
  id text primary key,
  attendance_id text not null references attendances (id) on delete cascade,
  event_id text not null references events (id),
  actor_id text references users (id) on delete set null,
  through text not null check (through in ('page', 'api', 'mail', 'network', 'host', 'clock')),
  before_status text,
  after_status text not null,
  party integer not null,
  mode text,
  is_offered integer not null check (is_offered in (0, 1)),
  changed_at bigint not null
);
create index attendance_changes_by_answer on attendance_changes (attendance_id, id);
create index attendance_changes_by_event on attendance_changes (event_id, through, changed_at);

create table joining_settings (
  subject_id text primary key,
  limit_in_person integer check (limit_in_person is null or limit_in_person >= 1),
  limit_online integer check (limit_online is null or limit_online >= 1),
  needs_approval integer not null check (needs_approval in (0, 1)),
  closes_hours_before integer check (closes_hours_before is null or closes_hours_before >= 0),
  max_party integer not null check (max_party between 1 and 20),
  asks_names integer not null check (asks_names in (0, 1)),
  is_members_only integer not null check (is_members_only in (0, 1)),
  list_audience text not null check (list_audience in ('everyone', 'attendees', 'hosts')),
  foreign_answers text check (foreign_answers is null or foreign_answers in ('count', 'need_approval', 'apart')),
  takes_guests integer not null check (takes_guests in (0, 1)),
  questions text not null,
  revision integer not null check (revision >= 1),
  updated_at bigint not null
);

create table guests (
  user_id text primary key references users (id) on delete cascade,
  email text unique,
  created_at bigint not null
);

create table guest_answers (
  id text primary key,
  event_id text not null references events (id),
  email text not null,
  display_name text not null,
  said text not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index guest_answers_by_email on guest_answers (email, created_at);
create index guest_answers_by_expiry on guest_answers (expires_at);
"""


def upgrade() -> None:
    apply(SQL)
