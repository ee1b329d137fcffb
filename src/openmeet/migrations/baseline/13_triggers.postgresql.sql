-- domain/moderation: triggers refuse every update and deletion in the log.
create function moderation_log_refuses() returns trigger language plpgsql as $$
begin
    raise exception 'the moderation log is append-only';
end
$$;
create trigger moderation_log_is_not_changed before update or delete on moderation_log
    for each row execute function moderation_log_refuses();
create trigger moderation_log_is_not_emptied before truncate on moderation_log
    for each statement execute function moderation_log_refuses();

-- domain/saved_searches: an event that becomes public, or whose searched columns change, is compared with saved
-- searches after five minutes. Until then its host can correct mistakes. The search path is fixed, so that events
-- inserted without a search path (by an import of a whole community) are also noted.
create function note_new_event() returns trigger language plpgsql set search_path from current as $$
begin
    insert into saved_search_queue (event_id, since, look_at) values (new.id, new.updated_at, new.updated_at + 300000000)
        on conflict (event_id) do nothing;
    return null;
end
$$;
create trigger saved_search_queue_made after insert on events
    for each row when (new.visibility = 'public' and new.is_held = 0) execute function note_new_event();
create trigger saved_search_queue_shown after update of visibility, is_held on events
    for each row
    when (new.visibility = 'public' and new.is_held = 0 and (old.visibility <> 'public' or old.is_held = 1))
    execute function note_new_event();

-- Stores the previous values too: people whose search already matched the event are not notified.
create function note_edited_event() returns trigger language plpgsql set search_path from current as $$
begin
    insert into saved_search_queue (event_id, since, look_at, was_words, was_mode, was_starts_local, was_x, was_y, was_z)
    values (new.id, new.updated_at, new.updated_at + 300000000, old.search_words, old.mode, old.starts_local,
            old.place_x, old.place_y, old.place_z)
        on conflict (event_id) do nothing;
    return null;
end
$$;
create trigger saved_search_queue_edited after update of search_words, mode, starts_local, place_x, place_y, place_z on events
    for each row
    when (new.visibility = 'public' and new.is_held = 0 and old.visibility = 'public' and old.is_held = 0
          and (new.search_words is distinct from old.search_words or new.mode is distinct from old.mode
               or new.starts_local is distinct from old.starts_local or new.place_x is distinct from old.place_x
               or new.place_y is distinct from old.place_y or new.place_z is distinct from old.place_z))
    execute function note_edited_event();
