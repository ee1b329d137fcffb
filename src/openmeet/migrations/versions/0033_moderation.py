"""What is shown to nobody and why, reports, whom people keep away, who moderates, and what was done: lines that are only added."""

from alembic import op

from groundwork.database.revision import apply, engine

revision = "0033"
down_revision = "0032"

# ``subject`` is the id of an event, a series, a group or a person, a DID, or the origin of a PDS (https://pds.example).
SQL = """
create table moderation_states (
  subject text primary key,
  thing text not null check (thing in ('event', 'series', 'group', 'person', 'did', 'host')),
  state text not null check (state in ('hidden', 'first_event', 'arrival', 'burst', 'trusted')),
  reason text not null,
  decided_by text,
  since bigint not null,
  check (state <> 'hidden' or decided_by is not null),
  check (state <> 'first_event' or thing = 'person'),
  check (state not in ('arrival', 'burst') or thing in ('did', 'event'))
);
create index moderation_states_by_age on moderation_states (state, since, subject);

create table reports (
  id text primary key,
  reporter_id text not null references users (id),
  thing text not null check (thing in ('event', 'series', 'group', 'person')),
  subject text not null,
  reason text not null,
  words text not null,
  created_at bigint not null,
  closed_at bigint,
  outcome text check (outcome in ('acted', 'dismissed')),
  closed_by_act text,
  check ((closed_at is null) = (outcome is null)),
  check ((closed_at is null) = (closed_by_act is null))
);
create unique index reports_open on reports (reporter_id, thing, subject) where closed_at is null;
create index reports_of_subject on reports (subject, created_at, id) where closed_at is null;
create index reports_of_person on reports (reporter_id, created_at, id);
create index reports_of_act on reports (closed_by_act) where closed_by_act is not null;

create table person_blocks (
  user_id text not null references users (id),
  blocked_id text not null references users (id),
  created_at bigint not null,
  primary key (user_id, blocked_id),
  check (user_id <> blocked_id)
);
create index person_blocks_other_way on person_blocks (blocked_id, user_id);

create table mutes (
  user_id text not null references users (id),
  thing text not null check (thing in ('person', 'group')),
  subject text not null,
  created_at bigint not null,
  primary key (user_id, subject),
  check (user_id <> subject)
);

create table moderators (
  user_id text primary key references users (id),
  named_at bigint not null
);

create table moderation_policy (
  id integer primary key check (id = 1),
  holds_first_events integer not null check (holds_first_events in (0, 1)),
  new_account_days integer not null check (new_account_days >= 1),
  new_author_minutes integer not null check (new_author_minutes >= 0),
  most_events_of_author integer not null check (most_events_of_author >= 1),
  most_authors_of_host integer not null check (most_authors_of_host >= 1),
  most_events_of_host integer not null check (most_events_of_host >= 1),
  most_new_hosts integer not null check (most_new_hosts >= 1),
  revision integer not null check (revision >= 1)
);

create table network_authors (
  did text primary key,
  host text not null,
  first_seen_at bigint not null,
  counted integer not null check (counted >= 0),
  counted_from bigint not null
);
create index network_authors_of_host on network_authors (host, first_seen_at);

create table network_hosts (
  host text primary key,
  first_seen_at bigint not null
);
create index network_hosts_by_age on network_hosts (first_seen_at);
insert into network_authors (did, host, first_seen_at, counted, counted_from)
  select did, '', created_at, 0, 0 from identities where kind = 'shadow';

create table moderation_log (
  id text primary key,
  at bigint not null,
  actor_id text,
  act text not null,
  thing text not null,
  subject text not null,
  before_state text not null,
  after_state text not null,
  reason text not null,
  undoes text references moderation_log (id)
);
create index moderation_log_by_time on moderation_log (at, id);
create index moderation_log_of_subject on moderation_log (subject, at, id);
create unique index moderation_log_undone_once on moderation_log (undoes) where undoes is not null;
"""

FOR_SQLITE = (
    """
    create trigger moderation_log_is_not_changed before update on moderation_log
    begin select raise(abort, 'the moderation log is append-only'); end
    """,
    """
    create trigger moderation_log_is_not_removed before delete on moderation_log
    begin select raise(abort, 'the moderation log is append-only'); end
    """,
    """
    create trigger moderation_log_is_not_replaced before insert on moderation_log
    when exists (select 1 from moderation_log where id = new.id or undoes = new.undoes)
    begin select raise(abort, 'the moderation log is append-only'); end
    """,
)
FOR_POSTGRESQL = """
create function moderation_log_refuses() returns trigger language plpgsql as $$
begin
    raise exception 'the moderation log is append-only';
end
$$;
create trigger moderation_log_is_not_changed before update or delete on moderation_log
    for each row execute function moderation_log_refuses();
create trigger moderation_log_is_not_emptied before truncate on moderation_log
    for each statement execute function moderation_log_refuses();
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(SQL)
    if engine() == "sqlite":
        for trigger in FOR_SQLITE:  # their statements end inside them, where a script would be cut
            op.get_bind().exec_driver_sql(trigger)
    else:
        apply(FOR_POSTGRESQL)
