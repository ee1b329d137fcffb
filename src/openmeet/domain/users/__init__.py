"""Users: one row per person.

A person has either signed in to this site at least once (``person``) or is known only from records that a DID wrote on
the network (``shadow``). A shadow account has no e-mail address and no role, and nobody can sign in to it. DIDs are
stored in ``identities``; a person may have several. The e-mail address is unique, in lower case, and not shown to
anybody else.
"""
