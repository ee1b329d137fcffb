"""Message queue between the firehose consumer and the event processor: one contract, two drivers.

Messages of one partition (a DID) are delivered in the order in which they were published, one at a time. Partitions are
independent. Delivery is at least once, so consumers must be idempotent. Nothing is dropped silently: a message that
cannot be applied becomes a dead letter with its reason, and an operator retries or discards it.
"""
