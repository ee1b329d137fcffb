"""Maintenance of a PDS: verified backups, restore, integrity check, repair, key rotation.

Owns ``backups``. This package serves no requests. A backup is a snapshot of the database with every blob that its rows
refer to, encrypted. It counts only after a database has been restored from it and checked. A restore continues with
higher sequence numbers and announces every repository, so that consumers can resume (invariant 2).
"""
