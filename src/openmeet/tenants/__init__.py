"""Which community a request is for: decided once, from its host name, and the answer is a database.

No query inside names a tenant, so none can forget to. Cookies, caches and locks belong to one tenant.
"""
