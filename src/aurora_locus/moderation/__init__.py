"""Moderation by the host: takedowns of accounts, records and blobs, account administration, reports, labels, operators with
their roles, and the audit log.

A decision is stored apart from its effect, so that lifting it returns an account to its owner's choice. Records stay in their
repository, whose proofs would break without them, and are hidden by every reading method; blobs stay on the disk. Every action
is a function of this package that checks its role and writes the audit log in its own transaction: methods, pages and commands
call these and nothing below them.
"""
