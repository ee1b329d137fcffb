"""Relational storage behind one small port with two drivers.

SQL is written in the common subset of SQLite and PostgreSQL; what differs lives in this room. Instants are ``bigint``
microseconds, wall times and identifiers ``text``, bytes ``bytea`` (a name both engines accept), booleans 0/1 with a
check constraint, JSON ``text`` that is only kept.
"""
