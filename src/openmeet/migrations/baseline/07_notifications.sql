-- Notifications and webhooks.

-- domain/notifications: e-mails that bundle notifications.
create table notification_emails (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  subject text not null,
  due_at bigint not null,
  closed_at bigint,
  created_at bigint not null
);
create unique index notification_emails_open on notification_emails (user_id, subject) where closed_at is null;
create index notification_emails_closed on notification_emails (closed_at) where closed_at is not null;

-- domain/notifications: notifications of a user.
create table notifications (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  kind text not null check (kind <> ''),
  subject_id text not null,
  subject_revision bigint not null,
  particulars text not null default '{}',
  is_shown integer not null default 1 check (is_shown in (0, 1)),
  is_for_digest integer not null default 0 check (is_for_digest in (0, 1)),
  mail_id text references notification_emails (id) on delete set null,
  created_at bigint not null,
  read_at bigint,
  constraint notifications_digest_has_no_mail check (is_for_digest = 0 or mail_id is null),
  constraint notifications_user_id_kind_subject_id_subject_revision_key unique (user_id, kind, subject_id,
        subject_revision)
);
create index notifications_by_user on notifications (user_id, created_at, id);
create index notifications_by_mail on notifications (mail_id) where mail_id is not null;
create index notifications_for_digest on notifications (user_id) where is_for_digest = 1;

-- domain/notifications: topics that a user switched on or off, by channel.
create table notification_preferences (
  user_id text not null references users (id) on delete cascade,
  topic text not null check (topic <> ''),
  channel text not null check (channel in ('in_app', 'email', 'digest')),
  is_on integer not null check (is_on in (0, 1)),
  updated_at bigint not null,
  primary key (user_id, topic, channel)
);

-- domain/notifications: quiet hours and the hour of the digest.
create table notification_hours (
  user_id text primary key references users (id) on delete cascade,
  time_zone text not null,
  quiet_from text,
  quiet_until text,
  digest_hour integer not null check (digest_hour between 0 and 23),
  updated_at bigint not null,
  constraint notification_hours_both_or_neither check ((quiet_from is null) = (quiet_until is null))
);

-- domain/webhooks: URLs that are called when something changes.
create table webhooks (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  group_id text references groups (id),
  url text not null,
  kinds text not null,
  sealed_secret bytea not null,
  failing_since bigint,
  off_why text not null,
  revision integer not null check (revision >= 1),
  created_at bigint not null,
  updated_at bigint not null
);
create index webhooks_by_user on webhooks (user_id);
create index webhooks_by_group on webhooks (group_id) where group_id is not null;

-- domain/webhooks: pending and completed calls.
create table webhook_deliveries (
  id text primary key,
  webhook_id text not null references webhooks (id) on delete cascade,
  kind text not null,
  subject_id text not null,
  state text not null check (state in ('waiting', 'sending', 'arrived', 'failed', 'dropped')),
  tries integer not null check (tries >= 0),
  status integer,
  why text not null,
  created_at bigint not null,
  settled_at bigint,
  revision integer not null check (revision >= 1),
  constraint webhook_deliveries_settled_has_instant check ((settled_at is null) = (state in ('waiting', 'sending')))
);
create index webhook_deliveries_of on webhook_deliveries (webhook_id, id);
create index webhook_deliveries_by_end on webhook_deliveries (settled_at) where settled_at is not null;
create unique index webhook_deliveries_not_begun on webhook_deliveries (webhook_id, kind, subject_id)
  where state = 'waiting' and tries = 0;
