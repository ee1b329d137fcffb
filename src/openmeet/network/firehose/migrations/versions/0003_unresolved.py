"""Repositories whose frames are dropped until their identity resolves; sources that the settings no longer name."""

from groundwork.database.revision import apply

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = """
create table unresolved_repositories (
  did text primary key,
  source text not null,
  reason text not null,
  attempts integer not null check (attempts >= 0),
  failed_at bigint not null,
  due_at bigint not null
);
create index unresolved_repositories_by_due_at on unresolved_repositories (due_at, did);
alter table sources add column removed_at bigint;
"""


def upgrade() -> None:
    apply(SQL)
