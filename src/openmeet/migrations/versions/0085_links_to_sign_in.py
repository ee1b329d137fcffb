"""Which browser asked for a code, whether it was mailed, and how many codes were guessed for an address."""

from groundwork.database.revision import apply

revision = "0085"
down_revision = "0084"

# ``browser_hash``: SHA-256 of the secret of the browser that asked; null for programs. ``is_mailed``: 0 where enough e-mails with codes that
# still work are in the mailbox.
SQL = """
alter table email_challenges add column browser_hash bytea;
alter table email_challenges add column is_mailed integer not null default 1 check (is_mailed in (0, 1));

create table email_code_guesses (
  address_hash text primary key,
  used integer not null check (used >= 0),
  resets_at bigint not null
);
create index email_code_guesses_by_end on email_code_guesses (resets_at);
"""


def upgrade() -> None:
    apply(SQL)
