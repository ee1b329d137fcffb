"""Store a hash of the subject of each like, repost, follow and block, to find others with the same subject.

The rows of existing records get theirs when their account next writes such a record (``repository.duplicates``), so that
a server with many records starts at once.
"""

from groundwork.database.revision import apply

revision = "0005"
down_revision = "0004"

SQL = """
alter table records add column subject bytea;
create index records_by_subject on records (did, collection, subject, rkey)
 where collection in ('app.bsky.feed.like', 'app.bsky.feed.repost', 'app.bsky.graph.follow', 'app.bsky.graph.block');
"""


def upgrade() -> None:
    apply(SQL)
