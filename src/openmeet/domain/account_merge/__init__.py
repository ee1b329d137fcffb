"""Merging two accounts of one person: whoever proves that they are somebody known here gets everything of theirs.

Signing in with a DID that only the network knew turns its shadow account into a person's: the same row, with ``claimed_at``. Somebody
who already has an account sees first what the other one holds; after their yes both are joined in one transaction, and the
foreign keys would not let the emptied row go if anything were left behind. Owns the table ``claims``. Saying yes twice changes nothing.
"""
