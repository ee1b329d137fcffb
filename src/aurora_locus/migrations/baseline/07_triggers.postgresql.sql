-- moderation: the audit log rejects every update and delete.
create function audit_log_refuses() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end
$$;
create trigger audit_log_is_not_changed before update or delete on audit_log
    for each row execute function audit_log_refuses();
create trigger audit_log_is_not_emptied before truncate on audit_log
    for each statement execute function audit_log_refuses();

-- sequencer: each commit notifies other processes of its event. From the number, the process that announced the event
-- sees that it has nothing to read. SQLite has no notifications, but only one process serves it.
create function events_are_told() returns trigger language plpgsql as $$
begin
    perform pg_notify(tg_table_schema || '_events', new.seq::text);
    return null;
end
$$;
create trigger events_are_told after insert on events
    for each row execute function events_are_told();
