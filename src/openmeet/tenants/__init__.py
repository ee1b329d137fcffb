"""Which community's site is being asked: resolved once, at the edge, and that choice is a database.

Inside, no query names a tenant, so none can forget to. Cookies, caches and locks belong to one tenant.
"""
