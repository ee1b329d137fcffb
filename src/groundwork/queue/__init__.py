"""The broker between those who read the network and those who apply it: one contract, two drivers.

Messages of one partition (a DID) are delivered in the order of publishing, one at a time; partitions are independent.
Delivery is at least once: whoever receives must be able to receive twice. Nothing is dropped silently: what cannot be
applied is buried with its reason, and a person retries or discards it.
"""
