"""Second factors of sign-in: codes of an authenticator app, passkeys, codes by e-mail, and recovery codes.

An account requires a second factor as soon as it has one of the first three; recovery codes replace a lost one.
Invariants: each code is accepted once; each passkey challenge is answered once; secrets are sealed and codes are hashed
(invariant 8); attempts are counted per account, over all client addresses.
"""
