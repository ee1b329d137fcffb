"""Sign somebody in with OAuth, write an event to their repository, and revoke the access.

    python docs/examples/oauth_client.py http://localhost:3000 ana.test

The script does not open a browser: it prints the URL that the person must open, and waits on the loopback for the
redirect. It uses only general libraries (httpx and joserfc), so that every step is visible: discovery, pushed request,
code, tokens, proof.
"""

import asyncio
import hashlib
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

COLLECTION = "community.lexicon.calendar.event"
SCOPE = f"atproto repo:{COLLECTION}"
REDIRECT = "http://127.0.0.1/callback"


def hashed(text: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class App:
    """An app on the user's own machine. It creates a new key each time, and every request proves possession of the key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.key = ECKey.generate_key("P-256")
        self.nonce = ""
        self.client_id = "http://localhost?" + urlencode({"scope": SCOPE, "redirect_uri": REDIRECT})

    async def post(self, url: str, token: str = "", **options: Any) -> dict[str, Any]:
        """Post with a DPoP proof. Retries once if the server requires its newest nonce. Raises on any other error."""
        for _ in range(2):
            claims = {
                "jti": secrets.token_hex(16),
                "htm": "POST",
                "htu": url,
                "iat": int(time.time()),
                "nonce": self.nonce,
            }
            headers = {}
            if token:
                claims["ath"] = hashed(token)
                headers["authorization"] = f"DPoP {token}"
            header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
            headers["dpop"] = jwt.encode(header, claims, self.key)
            answer = await self.http.post(url, headers=headers, **options)
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            if answer.status_code not in (400, 401) or answer.json().get("error") != "use_dpop_nonce":
                break
        answer.raise_for_status()
        return dict(answer.json())


async def main(pds: str, handle: str) -> None:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        resource = (await http.get(f"{pds}/.well-known/oauth-protected-resource")).json()
        issuer = resource["authorization_servers"][0]
        server = (await http.get(f"{issuer}/.well-known/oauth-authorization-server")).json()
        assert server["issuer"] == issuer

        app, verifier, state = App(http), secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        listening, answered = await listen()
        redirect = REDIRECT.replace("127.0.0.1", f"127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        pushed = await app.post(
            server["pushed_authorization_request_endpoint"],
            data={
                "client_id": app.client_id,
                "response_type": "code",
                "redirect_uri": redirect,
                "scope": SCOPE,
                "state": state,
                "login_hint": handle,
                "code_challenge": hashed(verifier),
                "code_challenge_method": "S256",
            },
        )
        where = urlencode({"client_id": app.client_id, "request_uri": pushed["request_uri"]})
        print(f"Open {server['authorization_endpoint']}?{where}", flush=True)

        async with listening:
            answer = await answered
        # First check that the response belongs to our request and comes from the server that we called.
        assert (answer["state"], answer["iss"]) == (state, issuer), "a response to another request"
        assert "code" in answer, f"refused: {answer.get('error')}"
        tokens = await app.post(
            server["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": redirect,
                "code_verifier": verifier,
                "client_id": app.client_id,
            },
        )
        print(f"{tokens['sub']} allows {tokens['scope']}")

        now = datetime.now(UTC)
        record = {
            "$type": COLLECTION,
            "name": "Board games at the library",
            "createdAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "startsAt": (now + timedelta(days=7)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        wish = {"repo": tokens["sub"], "collection": COLLECTION, "record": record}
        written = await app.post(f"{pds}/xrpc/com.atproto.repo.createRecord", tokens["access_token"], json=wish)
        print(written["uri"])
        await app.post(
            server["revocation_endpoint"], data={"token": tokens["refresh_token"], "client_id": app.client_id}
        )


async def listen() -> tuple[asyncio.Server, "asyncio.Future[dict[str, str]]"]:
    """Start a server on the loopback that waits for the redirect, and return its parameters as a future."""
    answered: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readline()).decode().split(" ")[1]
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nYou can close this window.\n"
        )
        await writer.drain()
        writer.close()
        if not answered.done() and urlsplit(target).path == "/callback":
            answered.set_result({name: values[0] for name, values in parse_qs(urlsplit(target).query).items()})

    return await asyncio.start_server(take, "127.0.0.1", 0), answered


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
