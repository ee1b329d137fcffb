"""Outbox of the platform: work for the outside, enqueued in the transaction that causes it.

``kinds`` lists the job kinds, ``publications`` has the state of each record in its repository, ``publication_leases``
what the publisher does to such a row, ``publication_echoes`` what the network reports about it, ``emails`` e-mail jobs.
"""
