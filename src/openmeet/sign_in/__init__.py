"""Proving who one is: a code sent by e-mail, or the password of one's repository; and the session that follows.

Invariants: a code works once, for ten minutes, for a handful of tries; neither codes nor session tokens are stored, in
no form that the database alone could give away; an answer does not tell whether an address is known here.
"""
