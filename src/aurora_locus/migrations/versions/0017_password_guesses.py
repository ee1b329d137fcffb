"""Wrong passwords per account and place, the places from which owners signed in, links that are mailed when guesses are used up."""

from groundwork.database.revision import apply

revision = "0017"
down_revision = "0016"

# accounts: ``subject`` is a DID, or ``operator:`` and a name; ``place`` is a keyed hash of an address or a device, or empty for
# everybody else. A window opens with the first guess and is over at ``resets_at``.
GUESSES = """
create table password_guesses (
    subject   text    not null,
    place     bytea   not null,
    used      integer not null check (used >= 0),
    resets_at bigint  not null,
    primary key (subject, place)
);
create index password_guesses_by_end on password_guesses (resets_at);
"""

# accounts: addresses and devices from which somebody signed in.
PLACES = """
create table known_places (
    subject text   not null,
    place   bytea  not null,
    seen_at bigint not null,
    primary key (subject, place)
);
create index known_places_by_age on known_places (seen_at);
"""

# accounts: ``letter`` is the number that the debt names; of the token only a hash is kept.
LINKS = """
create table sign_in_links (
    letter       text   not null primary key,
    token_hash   bytea  not null unique,
    did          text   not null references accounts (did) on delete cascade,
    requested_at bigint not null
);
create index sign_in_links_by_account on sign_in_links (did);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(GUESSES)
    apply(PLACES)
    apply(LINKS)
