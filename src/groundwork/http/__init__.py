"""HTTP in both directions: ``application`` and ``server`` for incoming requests, ``client`` for outgoing ones.

The client calls only public addresses, and never inside a transaction. The parts of ``application`` are ``faults``
(failure to response), ``bodies`` (limits while streaming), ``json_bodies``, ``forms``, ``etags``, ``security_headers``,
``cors``, and ``operations`` (health and metrics routes).
"""
