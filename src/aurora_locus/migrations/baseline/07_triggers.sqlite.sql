-- moderation: the audit log refuses changes and removals, whoever asks. "insert or replace" would remove without any trigger
-- for removals, so a second row of one id is refused before that.
create trigger audit_log_is_not_changed before update on audit_log
begin select raise(abort, 'the audit log is append-only'); end;

create trigger audit_log_is_not_removed before delete on audit_log
begin select raise(abort, 'the audit log is append-only'); end;

create trigger audit_log_is_not_replaced before insert on audit_log
when exists (select 1 from audit_log where id = new.id)
begin select raise(abort, 'the audit log is append-only'); end;
