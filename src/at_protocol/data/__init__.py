"""The data model: values, their one byte form (DAG-CBOR), their names (CIDs), their JSON form, blob references.

A value is ``None``, a bool, an integer of 64 signed bits, text, bytes, a :class:`~at_protocol.data.cid.Cid`, or a list
or string-keyed dict of values; there are no floats (atproto data model specification). A CID is always computed from
the bytes that came, never from bytes encoded again.
"""
