"""What the host decides about what is here, who may decide it, and why they did: accounts, records and blobs that are taken
down, accounts that are changed in their owners' stead, reports, labels, and the log of all of it.

A decision is kept apart from its effect, so that lifting it returns an account to what its owner had chosen. Records stay in
their repository, whose proofs would break without them, and are shown by no reading method; blobs stay on the disk. Every
act is a function of this room that asks for its role and notes itself in the audit log in its own transaction:
methods, pages and commands call these and nothing below them.
"""
