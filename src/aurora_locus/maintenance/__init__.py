"""Maintenance of a PDS: verified backups, restore, integrity check, repair, key rotation.

Owns ``backups``. Nothing here serves requests. A backup is one moment of the database with every blob that its rows refer to,
encrypted, and counts only after a database was restored from it and verified. A restore continues with higher sequence numbers
and announces every repository, so that consumers can resume (invariant 2).
"""
