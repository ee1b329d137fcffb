-- The directory: operations of identities in the order of their acceptance.

-- The head of each identity's chain.
create table identities (
  did text not null primary key,
  head text not null
);

-- Every operation, nullified ones included.
create table operations (
  seq bigint not null primary key,
  did text not null,
  cid text not null,
  operation text not null,
  created_at bigint not null,
  nullified integer not null default 0 check (nullified in (0, 1)),
  constraint operations_did_cid_key unique (did, cid)
);
create index operations_by_did on operations (did, seq);
create index operations_by_age on operations (created_at, seq);

-- Assigns the numbers. Its row lock is held until the commit, so that operations are committed in the order of their
-- numbers and an export never misses one.
create table sequence (
  id integer not null primary key check (id = 1),
  last bigint not null
);
insert into sequence (id, last) values (1, 0);
