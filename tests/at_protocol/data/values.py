"""Values of the data model for property tests, and one realistic record."""

from hypothesis import strategies as st

from at_protocol.data.cid import Cid
from at_protocol.data.model import MAX_INTEGER, MIN_INTEGER

texts = st.text(st.characters(codec="utf-8"), max_size=20)
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10).filter(lambda key: key != "$type")
cids = st.binary(max_size=8).map(Cid.for_cbor) | st.binary(max_size=8).map(Cid.for_raw)
scalars = (
    st.none() | st.booleans() | st.integers(MIN_INTEGER, MAX_INTEGER) | texts | st.binary(max_size=40) | cids
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)
