-- Search, and saved searches. The columns that are searched are in events.

-- domain/saved_searches: searches whose new matches a user is notified of.
create table saved_searches (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  asked text not null check (asked <> ''),
  is_on integer not null default 1 check (is_on in (0, 1)),
  created_at bigint not null,
  constraint saved_searches_user_id_asked_key unique (user_id, asked)
);

-- domain/saved_searches: words of the searches, to find the searches that an event may match.
create table saved_search_keys (
  search_id text not null references saved_searches (id) on delete cascade,
  key text not null,
  primary key (search_id, key)
);
create index saved_search_keys_by_key on saved_search_keys (key, search_id);

-- domain/saved_searches: events that a search has already found.
create table saved_search_matches (
  search_id text not null references saved_searches (id) on delete cascade,
  subject text not null,
  told_at bigint not null,
  primary key (search_id, subject)
);

-- domain/saved_searches: queue of events to compare with saved searches; filled by triggers.
create table saved_search_queue (
  event_id text primary key references events (id) on delete cascade,
  since bigint not null,
  look_at bigint not null,
  was_words text,
  was_mode text,
  was_starts_local text,
  was_x bigint,
  was_y bigint,
  was_z bigint
);
create index saved_search_queue_due on saved_search_queue (look_at, event_id);
