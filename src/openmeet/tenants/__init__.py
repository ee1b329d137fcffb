"""Tenants: the community of a request is decided once, from its host name, and selects a database.

No query names a tenant, so none can forget to. Cookies, caches and locks belong to one tenant.
"""
