"""One page of wiring per role; the only code that knows everything."""
