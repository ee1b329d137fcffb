"""The data model: values, DAG-CBOR, CIDs, the JSON form, blob references.

A value is ``None``, a bool, an integer of 64 signed bits, text, bytes, a :class:`~at_protocol.data.cid.Cid`, or a list or
string-keyed dict of values; there are no floats (atproto data model specification). A CID is always computed from the received
bytes, never from bytes encoded again.
"""
