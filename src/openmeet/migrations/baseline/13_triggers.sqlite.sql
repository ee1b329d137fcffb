-- domain/moderation: triggers refuse every update and deletion in the log. "insert or replace" would delete a row
-- without firing the delete trigger, so a second row with the same id is refused before that.
create trigger moderation_log_is_not_changed before update on moderation_log
begin select raise(abort, 'the moderation log is append-only'); end;

create trigger moderation_log_is_not_removed before delete on moderation_log
begin select raise(abort, 'the moderation log is append-only'); end;

create trigger moderation_log_is_not_replaced before insert on moderation_log
when exists (select 1 from moderation_log where id = new.id or undoes = new.undoes)
begin select raise(abort, 'the moderation log is append-only'); end;

-- domain/saved_searches: an event that becomes public, or whose searched columns change, is compared with saved
-- searches after five minutes. Until then its host can correct mistakes.
create trigger saved_search_queue_made after insert on events when new.visibility = 'public' and new.is_held = 0
begin
    insert into saved_search_queue (event_id, since, look_at) values (new.id, new.updated_at, new.updated_at + 300000000)
        on conflict (event_id) do nothing;
end;

create trigger saved_search_queue_shown after update of visibility, is_held on events
when new.visibility = 'public' and new.is_held = 0 and (old.visibility <> 'public' or old.is_held = 1)
begin
    insert into saved_search_queue (event_id, since, look_at) values (new.id, new.updated_at, new.updated_at + 300000000)
        on conflict (event_id) do nothing;
end;

-- Stores the previous values too: people whose search already matched the event are not notified.
create trigger saved_search_queue_edited after update of search_words, mode, starts_local, place_x, place_y, place_z on events
when new.visibility = 'public' and new.is_held = 0 and old.visibility = 'public' and old.is_held = 0
    and (new.search_words is not old.search_words or new.mode is not old.mode or new.starts_local is not old.starts_local
         or new.place_x is not old.place_x or new.place_y is not old.place_y or new.place_z is not old.place_z)
begin
    insert into saved_search_queue (event_id, since, look_at, was_words, was_mode, was_starts_local, was_x, was_y, was_z)
    values (new.id, new.updated_at, new.updated_at + 300000000, old.search_words, old.mode, old.starts_local,
            old.place_x, old.place_y, old.place_z)
        on conflict (event_id) do nothing;
end;
