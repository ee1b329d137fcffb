"""One person out of two rows: whoever proves that they are somebody else known here, too, gets everything of theirs.

Signing in with a DID that only the network knew makes its shadow a person: the same row, with ``claimed_at``. Where somebody has
an account already, what the other row holds is shown first and joined when they say yes, in one transaction, each room by its own
``reassign``; then the other row goes, and the database's foreign keys would not let it go with anything left behind. Owns the
table ``claims``: what waits for such a yes, and what was joined by one. Saying yes twice is saying it once.
"""
