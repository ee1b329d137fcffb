"""Account merge: a person who proves that another account is theirs takes over everything it holds.

Signing in with a DID known only from the network turns its shadow account into a person's account: the row stays the
same and gets a ``claimed_at``. A person who already has an account is first shown what the other account holds. After
they confirm, one transaction merges the two accounts. Foreign keys prevent the emptied row from being deleted while
anything still refers to it. This package owns the table ``account_merges``. Confirming twice has no further effect.
"""
