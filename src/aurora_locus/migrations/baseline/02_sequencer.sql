-- The event stream that other servers subscribe to.

-- sequencer: one row assigns the sequence numbers. Its lock is held until the commit, so that events are committed in
-- the order of their numbers. retired_up_to is the highest number that retention has removed; a lower cursor missed
-- events.
create table sequencer (
  id integer not null primary key check (id = 1),
  last bigint not null,
  retired_up_to bigint not null
);
insert into sequencer (id, last, retired_up_to) values (1, 0, 0);

-- sequencer: the frames of the stream.
create table events (
  seq /*sqlite integer */ /*postgresql bigint */ not null primary key,
  did text not null,
  kind text not null check (kind in ('commit', 'sync', 'identity', 'account')),
  frame bytea not null,
  sequenced_at bigint not null
);
create index events_by_did on events (did, seq);
