"""Publications that are set aside while the server of their repository is not called, and indexes in the order in which
publications are leased.

The server of a publication is derived from several tables. It is stored only in rows that are set aside, and forgotten
when the person's accounts change.
"""

from groundwork.database.revision import apply

revision = "0064"
down_revision = "0063"

_FORGET = """
    update publications set awaited_server = null
     where awaited_server is not null and user_id in (old.user_id, new.user_id)
"""
_IS_CHANGED = "old.pds_url <> new.pds_url or old.is_default <> new.is_default or old.user_id <> new.user_id"


def upgrade() -> None:
    apply(
        f"""
        alter table publications add column awaited_server text;
        create index publications_to_lease
            on publications ((case when state = 'retracting' then 0 else 1 end), due_at, kind, subject_id)
         where awaited_server is null and leased_until is null
           and state in ('due', 'retrying', 'waiting', 'retracting');
        create index publications_leased on publications (leased_until) where leased_until is not null;
        create index publications_set_aside
            on publications (awaited_server, (case when state = 'retracting' then 0 else 1 end), due_at, kind, subject_id)
         where awaited_server is not null;
        /*sqlite
        create trigger publications_server_changed after update of pds_url, is_default, user_id on identities
        when {_IS_CHANGED}
        begin {_FORGET}; end;
        */
        /*postgresql
        create function forget_awaited_servers() returns trigger language plpgsql set search_path from current as $$
        begin
            {_FORGET};
            return null;
        end $$;
        create trigger publications_server_changed after update of pds_url, is_default, user_id on identities
            for each row when ({_IS_CHANGED}) execute function forget_awaited_servers();
        */
        """
    )
