"""Everything that can be owed outside, each with its kind and its state.

``kinds`` lists what the general outbox carries, ``publications`` is the state machine of records owed to somebody's
repository, ``publication_leases`` is what its payer does to a row, ``deliveries`` is mail. Rooms above owe; payers
above pay; this room knows neither.
"""
