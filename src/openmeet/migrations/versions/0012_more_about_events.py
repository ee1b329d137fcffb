"""What events say beside what, when and where; who sees which part; drafts, co-hosts, pictures."""

from groundwork.database.revision import apply

revision = "0012"
down_revision = "0011"

# A draft is held as well: whatever leaves out held events, in any room, leaves out drafts, and nothing can show one before it
# was published.
SQL = """
alter table events add column is_all_day integer not null default 0 check (is_all_day in (0, 1));
alter table events add column place_audience text not null default 'everyone'
  check (place_audience in ('attendees', 'everyone'));
alter table events add column online_url_from integer check (online_url_from is null or online_url_from >= 0);
alter table events add column door_note text not null default '';
alter table events add column door_audience text not null default 'attendees'
  check (door_audience in ('attendees', 'everyone'));
alter table events add column about text not null default '{}';
alter table events add column topics text not null default '';
alter table events add column picture_key text;
alter table events add column is_draft integer not null default 0 check (is_draft = 0 or is_draft = 1 and is_held = 1);
alter table events add column publish_at bigint check (publish_at is null or is_draft = 1);
alter table events add column draft_fields text not null default '';
alter table events add column awaits_author integer not null default 0 check (awaits_author in (0, 1));
create index events_to_publish on events (publish_at, id) where publish_at is not null;
create index events_by_picture on events (picture_key) where picture_key is not null;
"""


def upgrade() -> None:
    apply(SQL)
