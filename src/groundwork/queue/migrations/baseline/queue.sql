-- Tables of the embedded queue.

-- Waiting messages. available_at is the time when the first message of a partition can be delivered (again). All later
-- messages of the partition have null, so that leasing scans one short index, however long the backlog is.
create table queue_messages (
  position bigint not null primary key,
  partition_by text not null,
  routing_key text not null,
  message_id text not null,
  body bytea not null,
  published_at bigint not null,
  available_at bigint,
  lease bigint not null,
  attempts integer not null,
  reason text not null
);
create unique index queue_messages_by_partition on queue_messages (partition_by, position);
create index queue_messages_available on queue_messages (available_at, position) where available_at is not null;

-- Messages that failed permanently.
create table queue_dead_letters (
  position bigint not null primary key,
  partition_by text not null,
  routing_key text not null,
  message_id text not null,
  body bytea not null,
  reason text not null,
  attempts integer not null,
  buried_at bigint not null
);

-- One row of counters.
create table queue_counters (
  only_row integer not null primary key check (only_row = 1),
  positions bigint not null,
  leases bigint not null,
  waiting bigint not null check (waiting >= 0)
);
insert into queue_counters (only_row, positions, leases, waiting) values (1, 0, 0, 0);
