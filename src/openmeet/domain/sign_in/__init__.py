"""Sign-in with a code sent by e-mail or with the password of one's PDS, and the session that follows.

Invariants: a code works once, for a limited time and a few tries. Codes and session tokens are stored in a form that
cannot be used to sign in, even by somebody who has the database. No response reveals whether an address is known to
this site.
"""
