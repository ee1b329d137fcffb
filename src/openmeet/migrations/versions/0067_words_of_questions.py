"""With what somebody said to a host's question its words as they read them: the host may ask otherwise later, or not at all.

Of earlier answers nobody knows them: they are shown under the question of that name, where there is one.
"""

from groundwork.database.revision import apply

revision = "0067"
down_revision = "0066"

SQL = """
alter table attendances add column reply_words text not null default '{}';
"""


def upgrade() -> None:
    apply(SQL)
