"""Writing records to people's repositories.

What may be published is decided from the present state, sent once, and read back when in doubt. Record key and CID are chosen and
stored before anything is sent; one write is in flight per record; an update carries ``swapRecord`` and changes only fields
that are ours. No transaction is open during a request.
"""
