"""Work that is owed outside, enqueued in the transaction that causes it.

``kinds`` lists the jobs, ``publications`` is the state machine of records in somebody's repository, ``publication_leases`` is
what the dispatcher does to a row, ``emails`` are e-mail deliveries.
"""
