"""Sessions of the host's operators on the pages below /admin."""

from groundwork.database.revision import apply

revision = "0011"
down_revision = "0010"

# administration: of a session's identifier only a hash is kept; the operator is a name of ``operators``, or ``admin``.
SESSIONS = """
create table operator_sessions (
    id_hash      bytea  not null primary key,
    operator     text   not null,
    signed_in_at bigint not null,
    seen_at      bigint not null
);
create index operator_sessions_by_operator on operator_sessions (operator);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(SESSIONS)
