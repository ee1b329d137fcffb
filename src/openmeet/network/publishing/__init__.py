"""Write records to people's repositories.

The current state decides what may be published. A record is sent once, and read back if the outcome is unknown. Record
key and CID are chosen and stored before anything is sent. Only one write per record is in flight. An update carries
``swapRecord`` and changes only our own fields. No transaction is open during a request.
"""
