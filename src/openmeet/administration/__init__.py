"""What only the operator sees: how the synchronisation stands, what was given up, and what to do about it.

Owns no table. Everything here reads what other rooms keep, and acts through their actions.
"""
