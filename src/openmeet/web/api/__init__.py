"""The JSON API: authentication by token, idempotency keys, ETags, OpenAPI."""
