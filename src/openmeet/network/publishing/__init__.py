"""Write records to people's repositories.

What may be published is decided from the present state; the record is sent once and read back if the outcome is
unknown. Record key and CID are chosen and stored before anything is sent. One write is in flight per record. An update
carries ``swapRecord`` and changes only our own fields. No transaction is open during a request.
"""
