"""What is asked for beside the password: a code of an authenticator app, a passkey, a code by e-mail, or a recovery code.

An account has a second factor as soon as it has one of the first three; recovery codes stand in for them. Invariants: a
code is taken once; a challenge of a passkey is answered once; secrets are sealed and codes are hashed (invariant 8); wrong
codes are counted per account, wherever they come from.
"""
