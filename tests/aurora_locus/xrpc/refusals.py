"""Error responses of XRPC methods."""

import httpx


def refusal_of(answer: httpx.Response, name: str, status: int = 400) -> str:
    """The error message of a refusal."""
    assert (answer.status_code, answer.json().get("error")) == (status, name), answer.text
    sentence = answer.json()["message"]
    assert sentence
    return str(sentence)
