"""Removed photos that may not be added again, and photos whose files are being stored."""

from groundwork.database.revision import apply

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    apply("""
alter table event_photos add column removed_from text references events (id) on delete set null;
alter table event_photos add column has_files integer not null default 1 check (has_files in (0, 1));
alter table event_photos add column waits_until bigint;
create index event_photos_removed_from on event_photos (removed_from) where removed_from is not null;
""")
