"""Tenants: the host name of a request decides once which community it is for, and that selects the database.

No query contains a tenant id, so none can forget it. Cookies, caches and locks belong to one tenant.
"""
