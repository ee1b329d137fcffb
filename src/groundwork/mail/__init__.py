"""Mail out: one contract, ``folder`` keeps it for a page (development), ``smtp`` sends it.

Mail is owed like anything else that leaves (``outbox``); nobody sends from inside a request.
"""
