-- moderation: the audit log rejects every update and delete. "insert or replace" deletes rows without
-- firing delete triggers, so inserting an id that exists is refused as well.
create trigger audit_log_is_not_changed before update on audit_log
begin select raise(abort, 'the audit log is append-only'); end;

create trigger audit_log_is_not_removed before delete on audit_log
begin select raise(abort, 'the audit log is append-only'); end;

create trigger audit_log_is_not_replaced before insert on audit_log
when exists (select 1 from audit_log where id = new.id)
begin select raise(abort, 'the audit log is append-only'); end;
