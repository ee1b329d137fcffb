"""Outbox of the platform: jobs and record writes that run after the transaction that enqueues them.

``kinds`` lists the job kinds. ``publications`` has the state of each record in its repository; ``publication_leases``
what the publisher does to such a row, ``publication_echoes`` what the network reports about it, ``publication_moves``
how it passes to another repository or subject, ``publication_selections`` many rows at once, ``publication_counts`` their
numbers. ``in_flight`` has writes whose outcome is unknown, ``emails`` e-mail jobs.
"""
