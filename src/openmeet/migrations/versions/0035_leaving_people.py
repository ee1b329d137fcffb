"""Access to chats changes when a person asks for the deletion of their account, and when they change their mind."""

from groundwork.database.revision import engine, execute

revision = "0035"
down_revision = "0034"

# At the end of the deletion nothing may name the person any more.
_INSERT = (
    "insert into chat_access_changes (user_id) select {row}.user_id"
    " where {row}.stage <> 'erasing' and exists (select 1 from chat_rooms)"
)
_TRIGGERS = (
    ("chat_access_erasures_added", "insert", "new"),
    ("chat_access_erasures_removed", "delete", "old"),
)


def upgrade() -> None:
    for name, when, row in _TRIGGERS:
        body = _INSERT.format(row=row)
        if engine() == "postgresql":
            execute(
                f"create function {name}() returns trigger language plpgsql set search_path from current as $$"
                f" begin {body}; return null; end $$"
            )
            execute(f"create trigger {name} after {when} on account_erasures for each row execute function {name}()")
        else:
            execute(f"create trigger {name} after {when} on account_erasures begin {body}; end")
