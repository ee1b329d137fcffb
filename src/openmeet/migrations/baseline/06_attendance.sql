-- RSVPs, and the registration settings that apply to them.

-- domain/attendance: RSVPs; one row per event and user.
create table attendances (
  id text primary key,
  event_id text not null references events (id),
  user_id text not null references users (id),
  status text not null
    check (status in ('attending', 'interested', 'declined', 'pending', 'waitlisted', 'invited', 'rejected',
        'attended')),
  waitlist_number integer,
  source text not null check (source in ('here', 'network')),
  revision integer not null check (revision >= 1),
  record_uri text unique,
  created_at bigint not null,
  answered_at bigint not null,
  party integer not null default 1 check (party between 1 and 20),
  mode text check (mode is null or mode in ('in_person', 'online')),
  offered_until bigint check (offered_until is null or status = 'waitlisted'),
  pending_for text check (pending_for is null or status = 'pending' and pending_for in ('approval', 'apart',
        'unclear')),
  approved_at bigint,
  is_private integer not null default 0 check (is_private in (0, 1)),
  guest_names text not null default '[]',
  invited_as text,
  replies text not null default '{}',
  skips_record integer not null default 0 check (skips_record in (0, 1)),
  reply_words text not null default '{}',
  calendar_entry text not null default '',
  constraint attendances_event_id_user_id_key unique (event_id, user_id),
  constraint attendances_event_id_waitlist_number_key unique (event_id, waitlist_number),
  constraint attendances_number_on_waitlist check ((status = 'waitlisted') = (waitlist_number is not null))
);
create index attendances_by_status on attendances (event_id, status, answered_at, id);
create index attendances_by_user on attendances (user_id, status);
create index attendances_holding on attendances (event_id, mode, party)
  where status in ('attending', 'attended') or offered_until is not null;
create index attendances_offered on attendances (offered_until) where offered_until is not null;
create index attendances_by_repository on attendances (
  /*postgresql (split_part(record_uri, '/', 3)) */
  /*sqlite (substr(substr(record_uri, instr(record_uri, '://') + 3), 1, instr(substr(record_uri, instr(record_uri, '://') + 3), '/') - 1)) */
) where record_uri is not null;

-- domain/attendance: history of each RSVP.
create table attendance_history (
  id text primary key,
  attendance_id text not null references attendances (id) on delete cascade,
  event_id text not null references events (id),
  actor_id text references users (id) on delete set null,
  through text not null check (through in ('page', 'api', 'mail', 'network', 'host', 'clock', 'group')),
  before_status text,
  after_status text not null,
  party integer not null,
  mode text,
  is_offered integer not null check (is_offered in (0, 1)),
  changed_at bigint not null
);
create index attendance_history_by_answer on attendance_history (attendance_id, id);
create index attendance_history_by_event on attendance_history (event_id, through, changed_at);

-- domain/attendance: registration settings of an event or a series.
create table registration_settings (
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

-- domain/guest_rsvps: RSVPs of guests until they confirm their address.
create table guest_rsvps (
  id text primary key,
  event_id text not null references events (id),
  email text not null,
  display_name text not null,
  said text not null,
  language text not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index guest_rsvps_by_email on guest_rsvps (email, created_at);
create index guest_rsvps_by_expiry on guest_rsvps (expires_at);
