"""Sign-in with a code sent by e-mail or with the password of one's PDS, and the session that follows.

Invariants: a code works once, for a limited time and a few tries. Neither codes nor session tokens are stored in a form
that would let anybody use them who has the database. No response reveals whether an address is known to this site.
"""
