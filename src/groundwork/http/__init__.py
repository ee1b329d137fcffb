"""HTTP both ways: ``application`` and ``server`` answer, ``client`` asks (public addresses only, never inside a transaction).

Below ``application`` stand its parts: ``faults`` (failure to response), ``bodies`` (limits while streaming),
``json_bodies``, ``forms``, ``etags``, ``security_headers``, ``cors``, ``operations`` (health and metrics routes).
"""
