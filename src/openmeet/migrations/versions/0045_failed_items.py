"""Items of scheduled tasks that failed, and when they are tried again."""

from groundwork.database.revision import apply

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    apply("""
create table failed_items (
  task text not null,
  item text not null,
  attempts integer not null check (attempts > 0),
  next_at bigint not null,
  failed_at bigint not null,
  reason text not null,
  primary key (task, item)
);
create index failed_items_by_next on failed_items (next_at);
""")
