"""What an owner may ask for beside the password."""

from groundwork.database.revision import apply

revision = "0009"
down_revision = "0008"

# accounts.second_factors. A secret of an authenticator app counts once its owner has typed a code; ``last_step`` is the
# step of the newest code that was taken, so that none is taken twice. Challenges of passkeys are noted when they are spent.
FACTORS = """
create table totp_secrets (
    did          text   not null primary key references accounts (did) on delete cascade,
    sealed       bytea  not null,
    last_step    bigint not null,
    confirmed_at bigint,
    created_at   bigint not null
);

create table passkeys (
    credential_id bytea  not null primary key,
    did           text   not null references accounts (did) on delete cascade,
    public_key    bytea  not null,
    sign_count    bigint not null check (sign_count >= 0),
    name          text   not null,
    created_at    bigint not null,
    used_at       bigint
);
create index passkeys_by_account on passkeys (did);

create table spent_challenges (
    challenge_hash bytea  not null primary key,
    expires_at     bigint not null
);
create index spent_challenges_by_expiry on spent_challenges (expires_at);

create table mail_factors (
    did        text   not null primary key references accounts (did) on delete cascade,
    created_at bigint not null
);

create table recovery_codes (
    did       text  not null references accounts (did) on delete cascade,
    code_hash bytea not null,
    primary key (did, code_hash)
);
"""

# One more purpose of a token that travels by e-mail; a check cannot be changed in place on SQLite.
LETTERS = """
create table email_tokens_with_sign_in (
    did          text    not null references accounts (did) on delete cascade,
    purpose      text    not null check (purpose in
                     ('confirm_email', 'update_email', 'reset_password', 'delete_account', 'plc_operation', 'sign_in')),
    token_hash   bytea   not null,
    wrong_tries  integer not null default 0,
    requested_at bigint  not null,
    letter       text,
    primary key (did, purpose)
);
insert into email_tokens_with_sign_in (did, purpose, token_hash, wrong_tries, requested_at, letter)
select did, purpose, token_hash, wrong_tries, requested_at, letter from email_tokens;
drop table email_tokens;
alter table email_tokens_with_sign_in rename to email_tokens;
create unique index email_tokens_by_letter on email_tokens (letter);
create index email_tokens_by_hash on email_tokens (purpose, token_hash);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(FACTORS)
    apply(LETTERS)
