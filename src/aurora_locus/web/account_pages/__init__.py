"""Account pages: the data that a person has stored on this server, who has access to it, and how to change or export
it.

The package owns no table and makes no decisions: every page calls the same action as the XRPC method and counts against
the same limits. Sensitive actions ask for the password first (``browser_sessions.authentication.proven_account_of``). URLs
contain no private data.
"""
