-- The stream of events that others subscribe to.

-- sequencer: one row hands out the numbers; its lock, held to the commit, makes commit order and number order the
-- same. retired_up_to is the highest number that retention has removed: a cursor below it has missed something.
create table sequencer (
  id integer not null primary key check (id = 1),
  last bigint not null,
  retired_up_to bigint not null
);
insert into sequencer (id, last, retired_up_to) values (1, 0, 0);

-- sequencer: frames of the stream.
create table events (
  seq /*sqlite integer */ /*postgresql bigint */ not null primary key,
  did text not null,
  kind text not null check (kind in ('commit', 'sync', 'identity', 'account')),
  frame bytea not null,
  sequenced_at bigint not null
);
create index events_by_did on events (did, seq);
