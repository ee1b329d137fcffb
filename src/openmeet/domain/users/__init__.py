"""People: one row per person.

A person has signed in here at least once (``person``) or is known only by what a DID wrote on the network
(``shadow``): a shadow account has no e-mail address, no role and cannot be signed into. DIDs are kept in
``identities``; a person may have several. The e-mail address is unique, lower-cased and shown to nobody else.
"""
