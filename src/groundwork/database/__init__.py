"""Relational storage: one small port with two drivers, SQLite and PostgreSQL.

SQL is written in their common subset; differences stay in this package. Instants are ``bigint`` microseconds,
wall-clock times and identifiers ``text``, bytes ``bytea`` (a name both engines accept), booleans 0/1 with a check
constraint, JSON ``text`` that is only stored.
"""
