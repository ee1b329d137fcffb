"""Records cached in their JSON form."""

import asyncio
from time import process_time

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from aurora_locus.repository.json_forms import JsonForms

VALUES = st.dictionaries(
    st.text(min_size=1, max_size=10),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary() | st.just(Cid.for_raw(b"x")),
    max_size=6,
)


@given(VALUES)
async def test_cached_form_has_cid_and_value(value):
    """The cached form has the CID and value of the record's JSON form, whether created or read."""
    block = cbor.encode(value)
    cid = Cid.for_cbor(block)
    forms = JsonForms(1 << 20)
    for _ in range(2):
        told = msgspec.json.decode(b"{%b}" % await forms.of(bytes(cid), block))
        assert told == {"cid": str(cid), "value": json_form.to_json(value)}


async def test_cache_is_bounded_and_keeps_used_forms():
    forms = JsonForms(100_000)
    blocks = [cbor.encode({"number": number, "text": "x" * 100}) for number in range(1000)]
    cids = [bytes(Cid.for_cbor(block)) for block in blocks]
    for cid, block in zip(cids, blocks, strict=True):
        await forms.of(cid, block)
        await forms.of(cids[0], blocks[0])
    assert forms.has(cids[0])
    assert forms.has(cids[-1])
    assert not forms.has(cids[1])
    assert 100 < sum(map(forms.has, cids)) < 400


async def test_a_large_record_is_encoded_once_for_many_requests():
    """A hundred requests for one record, each encoded, would hold up the thread for all others."""
    block = cbor.encode({"value": [[]] * 20_000})
    cid = bytes(Cid.for_cbor(block))
    began = process_time()
    one = await JsonForms(1 << 20).of(cid, block)
    alone = process_time() - began
    forms = JsonForms(1 << 20)
    began = process_time()
    assert set(await asyncio.gather(*[forms.of(cid, block) for _ in range(30)])) == {one}
    assert process_time() - began < 10 * alone
