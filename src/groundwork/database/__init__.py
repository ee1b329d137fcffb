"""Relational storage: one small port with two drivers, SQLite and PostgreSQL.

SQL is written in the common subset of both engines, and differences stay in this package. Instants are ``bigint``
microseconds, wall-clock times and identifiers ``text``, bytes ``bytea`` (a type name that both engines accept),
booleans 0/1 with a check constraint. JSON is ``text`` and is only stored, never queried.
"""
