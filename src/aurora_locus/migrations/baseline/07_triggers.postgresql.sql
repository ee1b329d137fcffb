-- moderation: the audit log refuses changes and removals, whoever asks.
create function audit_log_refuses() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end
$$;
create trigger audit_log_is_not_changed before update or delete on audit_log
    for each row execute function audit_log_refuses();
create trigger audit_log_is_not_emptied before truncate on audit_log
    for each statement execute function audit_log_refuses();

-- sequencer: other processes hear of each event when it is committed; its number lets the one that announced it go on
-- without looking. SQLite has no notifications, and one process serves it.
create function events_are_told() returns trigger language plpgsql as $$
begin
    perform pg_notify(tg_table_schema || '_events', new.seq::text);
    return null;
end
$$;
create trigger events_are_told after insert on events
    for each row execute function events_are_told();
