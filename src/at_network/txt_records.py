"""DNS look-ups: TXT records, and whether a name has any address. A missing record is a result; a timeout is a failure."""

import asyncio

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from groundwork.errors import RemoteFailed, RemoteSlow

TIMEOUT_SECONDS = 3.0


class Dns:
    """A stub resolver that uses the machine's own name servers, or one given address and port."""

    def __init__(self, server: tuple[str, int] | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def txt(self, name: str) -> list[tuple[bytes, ...]]:
        """Return the TXT records of a DNS name, each a tuple of character strings. Empty if there are none.

        Raises RemoteFailed and RemoteSlow if no server answered.
        """
        response = await self._resolve(name, dns.rdatatype.TXT)
        return [] if response is None or response.rrset is None else [record.strings for record in response.rrset]

    async def has_address(self, name: str) -> bool:
        """Whether a DNS name has any A or AAAA record. Raises the same errors as ``txt``."""
        if await self._resolve(name, dns.rdatatype.A) is not None:
            return True
        return await self._resolve(name, dns.rdatatype.AAAA) is not None

    async def _resolve(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        try:
            # dnspython notices the end of its time only after the pause between two attempts.
            async with asyncio.timeout(self._timeout_seconds):
                return await self._open().resolve(name, kind, lifetime=self._timeout_seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.Timeout, TimeoutError):
            raise RemoteSlow("The name servers did not answer in time.") from None
        except (dns.exception.DNSException, OSError) as failure:
            raise RemoteFailed(f"The name servers cannot be queried ({type(failure).__name__}).") from failure

    def _open(self) -> dns.asyncresolver.Resolver:
        # Created on the first query, so that a machine without DNS can run everything that does not need it.
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver(configure=self._server is None)
            if self._server is not None:
                host, port = self._server
                self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port)]
        return self._resolver
