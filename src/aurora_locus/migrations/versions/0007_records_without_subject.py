"""An index of the likes, reposts, follows and blocks whose subject is not read yet.

On PostgreSQL, no record can be written while it is built, so operators of large servers may have built it before
(``docs/operating.md``, "Upgrading").
"""

from groundwork.database.revision import apply

revision = "0007"
down_revision = "0006"

SQL = """
create index if not exists records_without_subject on records (collection, did, rkey)
 where subject is null
   and collection in ('app.bsky.feed.like', 'app.bsky.feed.repost', 'app.bsky.graph.follow', 'app.bsky.graph.block');
"""


def upgrade() -> None:
    apply(SQL)
