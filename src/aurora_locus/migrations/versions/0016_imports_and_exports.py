"""Imports that are under way, so that what they lay down is neither shown nor, after a crash, kept; exports that other
processes run, so that what they read stays; repositories that are to be signed with another key; where identities live whose documents we serve and whose accounts moved.
"""

from groundwork.database.revision import apply

revision = "0016"
down_revision = "0015"

# repository: one import of a repository at a time. Blocks and index rows of ``rev`` belong to nobody until the import's last
# transaction has moved the head and removed this row; one that is abandoned is swept, page by page.
IMPORTS = """
create table imports (
    did          text    not null primary key references repositories (did),
    rev          text    not null,
    touched_at   bigint  not null,
    is_abandoned integer not null default 0 check (is_abandoned in (0, 1))
);
"""

# repository: exports that run, where several processes share the database.
EXPORTS = """
create table export_pins (
    id         text   not null primary key,
    did        text   not null,
    touched_at bigint not null
);
create index export_pins_by_did on export_pins (did);
"""

# accounts: whose key was changed and whose head was not signed with it yet.
SIGNATURES = """
create table signatures_due (
    did    text   not null primary key references accounts (did) on delete cascade,
    due_at bigint not null
);
"""

# accounts: outlives the account, because nobody else can serve the document.
DESTINATIONS = """
create table web_destinations (
    did         text   not null primary key,
    pds         text   not null,
    signing_key text   not null,
    handle      text   not null,
    changed_at  bigint not null
);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(IMPORTS)
    apply(EXPORTS)
    apply(SIGNATURES)
    apply(DESTINATIONS)
