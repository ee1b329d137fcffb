"""The data model: values, DAG-CBOR, CIDs, the JSON form, and blob references.

A value is ``None``, a bool, a signed 64-bit integer, text, bytes, a ``at_protocol.data.cid.Cid``, or a list or
string-keyed dict of values. There are no floats (atproto data model specification). A CID is always computed from the
bytes as received, never from re-encoded bytes.
"""
