"""Operations in the order of their acceptance, and the head of each identity's chain."""

from groundwork.database.revision import apply

revision = "0001"
down_revision = None

SQL = """
create table identities (
    did  text not null primary key,
    head text not null
);

create table operations (
    seq        bigint  not null primary key,
    did        text    not null,
    cid        text    not null,
    operation  text    not null,
    created_at bigint  not null,
    nullified  integer not null default 0 check (nullified in (0, 1)),
    unique (did, cid)
);
create index operations_by_did on operations (did, seq);
create index operations_by_age on operations (created_at, seq);

-- Its row lock, held to the commit, makes the order of numbers the order of commits: an export never misses one.
create table sequence (
    id   integer not null primary key check (id = 1),
    last bigint  not null
);
insert into sequence (id, last) values (1, 0);
"""


def upgrade() -> None:
    apply(SQL)
