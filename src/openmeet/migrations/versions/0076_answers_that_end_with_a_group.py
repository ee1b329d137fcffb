"""Answers end, too, where somebody is not in the group of the event any more: the history of an answer says so."""

from groundwork.database.revision import apply

revision = "0076"
down_revision = "0075"

_COLUMNS = """id, attendance_id, event_id, actor_id, through, before_status, after_status, party, mode, is_offered, changed_at"""

# SQLite takes no check away: the table is made anew.
SQL = f"""
create table attendance_changes_anew (
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
insert into attendance_changes_anew ({_COLUMNS}) select {_COLUMNS} from attendance_changes;
drop table attendance_changes;
alter table attendance_changes_anew rename to attendance_changes;
create index attendance_changes_by_answer on attendance_changes (attendance_id, id);
create index attendance_changes_by_event on attendance_changes (event_id, through, changed_at);
"""


def upgrade() -> None:
    apply(SQL)
