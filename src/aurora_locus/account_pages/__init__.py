"""Account pages: what a person has stored here, who may use it, and how to change or export it.

The package owns no table and decides nothing: every page calls the same action as the XRPC method and counts against
the same limits. Sensitive actions ask for the password first (``browser_sessions.edge.proven_account_of``). No private
data in URLs.
"""
