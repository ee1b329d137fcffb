"""Tenants: each request is assigned to a community once, by its host name, which selects the database.

No query contains a tenant id, so no query can omit it by mistake. Cookies, caches and locks belong to one tenant.
"""
