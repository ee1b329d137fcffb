"""Moderation by the host: takedowns of accounts, records and blobs, account administration, reports, labels, operators
with their roles, and the audit log.

A decision is stored separately from its effect. When it is lifted, the status that the account's owner chose applies
again. Records that are taken down stay in their repository, because removing them would break its proofs; every method
that reads records hides them. Blobs stay on disk. Every action is a function of this package that checks the role and
writes the audit log in its own transaction. Methods, pages and commands call only these functions.
"""
