"""Which task has an open transaction. In it, only the methods of the transaction may be awaited."""

from contextvars import ContextVar

from groundwork.database.recorded_reads import note_unrecorded


class OpenTransaction:
    """Marks one open transaction. Tasks started inside it can see when it has ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_open_transaction: ContextVar[OpenTransaction | None] = ContextVar("open_transaction", default=None)


def transaction_is_open() -> bool:
    """True inside ``async with db.transaction()`` of this task. The HTTP client raises if it is called then."""
    open_transaction = _open_transaction.get()
    return open_transaction is not None and open_transaction.is_open


def note_open_transaction() -> OpenTransaction:
    """Mark that this task has an open transaction until ``is_open`` is set to False. For drivers."""
    open_transaction = OpenTransaction()
    _open_transaction.set(open_transaction)
    return open_transaction


def require_none_open(*, is_recorded: bool = False) -> None:
    """Raise if this task has an open transaction, because a second one could wait for the first. For drivers.

    ``is_recorded``: the caller passes its reader to ``recorded``. All other uses of a database make the recording of
    this context incomplete.
    """
    if not is_recorded:
        note_unrecorded()
    if transaction_is_open():
        raise RuntimeError("only the open transaction may be awaited inside it")
