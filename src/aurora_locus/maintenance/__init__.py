"""What keeps a PDS over the years: backups that are proven, restore, a check of everything, repair, new keys.

Owns ``backups``. Nothing here is on the way of a request. A backup is one moment of the database with every blob that its
rows name, encrypted, and counts only when a database was made from it and found whole. A restore goes on with higher numbers
and announces every repository, so that whoever followed before can follow on (invariant 2).
"""
