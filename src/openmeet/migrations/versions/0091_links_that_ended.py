"""Links of events, series and groups that their hosts replaced: they lead nobody on, and nobody else gets them."""

from groundwork.database.revision import apply

revision = "0091"
down_revision = "0090"

SQL = """
create table retired_slugs (
  kind text not null check (kind in ('event', 'series', 'group')),
  slug_hash text not null,
  subject_id text not null,
  retired_at bigint not null,
  primary key (kind, slug_hash)
);
create index retired_slugs_of_subject on retired_slugs (kind, subject_id);
"""


def upgrade() -> None:
    apply(SQL)
