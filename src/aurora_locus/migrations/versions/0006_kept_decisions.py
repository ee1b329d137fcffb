"""Decisions of the host that outlive what they are about, who made them, and the log of all of it.

The audit log refuses changes and removals itself, on both engines, whoever asks: on SQLite ``insert or replace`` would
remove without any trigger for removals, so a second row of one id is refused before that.
"""

from alembic import op

from groundwork.database.revision import apply, engine

revision = "0006"
down_revision = "0005"

# moderation decides; the writers of repositories give each new row of ``records`` what is decided about its path.
DECISIONS = """
create table record_takedowns (
    did        text   not null,
    collection text   not null,
    rkey       text   not null,
    ref        text   not null,
    decided_at bigint not null,
    primary key (did, collection, rkey)
);
insert into record_takedowns (did, collection, rkey, ref, decided_at)
select did, collection, rkey, takedown_ref, 0 from records where takedown_ref is not null;
alter table accounts add column suspended_until bigint;
create index accounts_suspended on accounts (suspended_until) where suspended_until is not null;
"""

# moderation: who works for the host; every act of theirs; letters of the host until they are sent.
OPERATORS = """
create table operators (
    name          text    not null primary key,
    role          text    not null check (role in ('moderator', 'admin', 'superadmin')),
    password_hash text,
    did           text    unique,
    disabled      integer not null check (disabled in (0, 1)),
    created_at    bigint  not null,
    check (password_hash is not null or did is not null)
);

create table audit_log (
    id        {bytewise} not null primary key,
    at        bigint not null,
    actor     text   not null,
    role      text   not null check (role in ('moderator', 'admin', 'superadmin')),
    action    text   not null,
    subject   text   not null,
    reason    text   not null,
    report_id bigint,
    before    text   not null,
    after     text   not null
);
create index audit_log_by_subject on audit_log (subject, id);
create index audit_log_by_report on audit_log (report_id, id) where report_id is not null;

create table notices (
    id         text   not null primary key,
    did        text   not null references accounts (did) on delete cascade,
    subject    text   not null,
    content    text   not null,
    created_at bigint not null
);
"""

FOR_SQLITE = (
    """
    create trigger audit_log_is_not_changed before update on audit_log
    begin select raise(abort, 'the audit log is append-only'); end
    """,
    """
    create trigger audit_log_is_not_removed before delete on audit_log
    begin select raise(abort, 'the audit log is append-only'); end
    """,
    """
    create trigger audit_log_is_not_replaced before insert on audit_log
    when exists (select 1 from audit_log where id = new.id)
    begin select raise(abort, 'the audit log is append-only'); end
    """,
)
FOR_POSTGRESQL = """
create function audit_log_refuses() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end
$$;
create trigger audit_log_is_not_changed before update or delete on audit_log
    for each row execute function audit_log_refuses();
create trigger audit_log_is_not_emptied before truncate on audit_log
    for each statement execute function audit_log_refuses();
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(DECISIONS)
    apply(OPERATORS.format_map({"bytewise": "text" if engine() == "sqlite" else 'text collate "C"'}))
    if engine() == "sqlite":
        for trigger in FOR_SQLITE:  # their statements end inside them, where a script would be cut
            op.get_bind().exec_driver_sql(trigger)
    else:
        apply(FOR_POSTGRESQL)
