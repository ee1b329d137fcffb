"""Rows that promise: what is owed to the outside is written in the transaction that caused it and paid later.

A debt names what is owed (kind, subject, revision), never the bytes: its payer reads the present and decides. Paying is
at least once; a lease number, raised each time a row is taken, makes a late payer's answer harmless. If every worker
dies, the rows still say what is owed.
"""
