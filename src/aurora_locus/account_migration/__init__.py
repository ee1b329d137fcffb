"""Moving an account to another server while this one does the work: one row per move, every step of which can be done again.

Source: the account migration guide. This room owns ``moves``. Invariants: until the code from the mail nothing but a hidden account
on the other server exists, and giving up leaves the account here as it was; the identity is changed by one operation, which is
stored before it is sent; the account here is hidden only when the other server shows it.
"""
