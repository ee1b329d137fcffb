"""Account merge: somebody who proves that another account is theirs takes over everything it holds.

Signing in with a DID known only from the network turns its shadow account into a person's account: the same row, with
``claimed_at``. Somebody who already has an account first sees what the other one holds; after their confirmation one
transaction merges both. Foreign keys keep the emptied row from being deleted while anything still refers to it. Owns
the table ``account_merges``. Confirming twice changes nothing.
"""
