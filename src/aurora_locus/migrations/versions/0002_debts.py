"""What is owed to the outside, and which letter carries which e-mail token.

``debts`` is the outbox's (``groundwork.outbox``). A token is found by its letter when the letter is written, and by its hash
where nobody says whose it is (a password reset).
"""

from groundwork.database.revision import apply

revision = "0002"
down_revision = "0001"

DEBTS = """
create table debts (
    kind         text    not null,
    subject      text    not null,
    revision     bigint  not null,
    state        text    not null check (state in ('due', 'leased', 'paid', 'given_up')),
    due_at       bigint  not null,
    attempts     integer not null,
    reason       text    not null,
    lease        bigint  not null,
    leased_until bigint,
    owed_at      bigint  not null,
    primary key (kind, subject)
);
create index debts_by_due on debts (kind, state, due_at);
"""

LETTERS = """
alter table email_tokens add column letter text;
create unique index email_tokens_by_letter on email_tokens (letter);
create index email_tokens_by_hash on email_tokens (purpose, token_hash);
create index accounts_to_delete on accounts (delete_after) where delete_after is not null;
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(DEBTS)
    apply(LETTERS)
