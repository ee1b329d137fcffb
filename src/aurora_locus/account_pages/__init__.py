"""A person's own pages: what they have here, who may use it, how it is changed, how it is taken elsewhere.

The room owns no table and decides nothing: every page calls the action that a method calls, and counts against the same limits. What
is delicate asks for the password first (``browser_sessions.edge.proven_account_of``). Nothing private stands in an address.
"""
