"""Signed URLs for these tests (AWS Signature Version 4, path style). To be replaced by the package's own S3 client.

Written apart from the package on purpose, as long as there is nothing else to hold the server against.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from lucidfs.testing.s3 import RadosGateway

TIMEOUT = urllib3.Timeout(connect=5.0, read=20.0)


class Signer(NamedTuple):
    """Signs for one user at one address."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str

    def url(
        self, method: str, path: str, query: dict[str, str] | None = None, *, expires_s: int = 60, age_s: float = 0.0
    ) -> str:
        """A URL for `method` on /bucket/key, signed `age_s` seconds ago for `expires_s` seconds."""
        host = urlsplit(self.endpoint).netloc
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age_s))
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        signed = {
            **(query or {}),
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": now,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": "host",
        }
        text = urlencode(sorted(signed.items()), quote_via=quote, safe="-_.~")
        request = f"{method}\n{quote(path)}\n{text}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = b"AWS4" + self.secret_key.encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        return f"{self.endpoint}{quote(path)}?{text}&X-Amz-Signature={signature}"


def signer(server: RadosGateway) -> Signer:
    """For the server's first user."""
    return Signer(server.endpoint, server.access_key, server.secret_key, server.region)
