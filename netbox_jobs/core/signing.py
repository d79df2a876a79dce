"""The signature of stored arguments, by Django's `SECRET_KEY`."""

import hmac
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

_SALT = 'netbox_jobs.core.arguments'


def sign(format: str, payload: bytes, job_id: UUID | str, path: str, context: str, key: str | bytes) -> str:
    """Return the signature of arguments: of one job, one callable and one context."""
    # The fields are joined by a byte that none but the last can contain, so that they cannot be shifted.
    message = b'\x00'.join((str(job_id).encode(), path.encode(), format.encode(), context.encode(), payload))
    return hmac.digest(_signing_key(key), message, 'sha256').hex()


@lru_cache
def _signing_key(key: str | bytes) -> bytes:
    """As `django.utils.crypto.salted_hmac()` makes it of the salt and the secret."""
    return sha256(_SALT.encode() + (key.encode() if isinstance(key, str) else key)).digest()
