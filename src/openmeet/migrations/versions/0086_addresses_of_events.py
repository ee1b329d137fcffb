"""An event keeps the address of its record when that is taken back; what another app deletes is asked about.

The address that was remembered for the last retraction alone is one of the event's from now on. Answers that were set aside under it are
looked at again.
"""

from groundwork.database.revision import apply

revision = "0086"
down_revision = "0085"

SQL = """
alter table events add column retractions integer not null default 0;
alter table events add column record_deleted_at bigint;
update events set retractions = 1
 where id in (select subject_id from publications where kind = 'event' and taken_back_uri is not null);

insert into former_records (uri, kind, subject_id, is_authors, is_there, created_at)
select p.taken_back_uri, 'event', p.subject_id, 0, 0, p.changed_at
  from publications p join events e on e.id = p.subject_id
 where p.kind = 'event' and p.taken_back_uri is not null and e.deleted_at is null
   and not exists (select 1 from events o where o.record_uri = p.taken_back_uri)
    on conflict (uri) do nothing;

insert into debts (kind, subject, revision, state, due_at, attempts, reason, lease, leased_until, owed_at)
select distinct 'fetch_subject', r.subject_uri, 1, 'due', 0, 0, '', 0, cast(null as bigint), 0
  from records r join former_records f on f.uri = r.subject_uri
 where r.standing = 'parked' and f.kind = 'event' and f.is_there = 0
    on conflict (kind, subject) do update
   set revision = debts.revision + 1, state = 'due', due_at = 0, attempts = 0;
"""


def upgrade() -> None:
    apply(SQL)
