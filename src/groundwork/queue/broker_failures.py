"""Why no connection to RabbitMQ could be opened, as a sentence for operators that says what to do.

The sentence names the server and the user, but not the password.
"""

from urllib.parse import unquote, urlsplit

from aiormq.exceptions import AuthenticationError, InvalidFrameError, ProbableAuthenticationError


def connection_sentence(url: str, failure: Exception) -> str:
    """Return the sentence for a failure of the connection, which includes signing in and opening the virtual host."""
    parts = urlsplit(url)
    server = f"RabbitMQ at {parts.hostname}:{parts.port or 5672}"
    match failure:
        case AuthenticationError() | ProbableAuthenticationError():
            user = unquote(parts.username or "guest")
            return f"{server} refuses the user {user!r}. Check the user name and the password in the broker URL."
        case InvalidFrameError():  # the answer to opening the virtual host is that the connection is closed
            host = unquote(parts.path.removeprefix("/")) or "/"
            return (
                f"{server} does not open the virtual host {host!r}. Check that it exists and that the user may use it."
            )
        case _:
            return f"{server} does not answer. Check that it is running, and the host and the port in the broker URL."
