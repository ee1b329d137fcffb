"""Account migration away from this server: one row per migration; every step can be repeated.

Source: the account migration guide. This package owns ``moves``. Invariants: until the owner enters the e-mailed code,
the only thing that exists is a hidden account on the other server, and cancelling leaves the account on this server
unchanged; the identity is changed by one operation, which is stored before it is sent; this server hides the account
only after the other server shows it.
"""
