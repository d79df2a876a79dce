"""The encryption of arguments and data, with Fernet of the package `cryptography`: the extra `netbox-jobs[encryption]`.

`core.encryption` imports it when something is to be encrypted or decrypted.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.core.exceptions import ImproperlyConfigured


class KeyRing:
    """Keys of which the first encrypts, and all decrypt."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Args:
        keys: As `Fernet.generate_key()` makes them.

        Raises:
            ImproperlyConfigured: One is no key.
        """
        rings = []
        for number, key in enumerate(keys, 1):
            try:
                rings.append(Fernet(key))
            except (ValueError, TypeError):  # the message must not have the key
                raise ImproperlyConfigured(
                    f"Key {number} of NETBOX_JOBS['ENCRYPTION_KEYS'] is not a key; expected 32 bytes in URL-safe "
                    'base64, as Fernet.generate_key() makes them.'
                ) from None
        self._first, self._all = rings[0], MultiFernet(rings)

    def encrypt(self, data: bytes) -> bytes:
        """Return the data, encrypted with the first key."""
        return self._all.encrypt(data)

    def decrypt(self, token: bytes) -> bytes | None:
        """Return the decrypted data; None if none of the keys has encrypted it."""
        try:
            return self._all.decrypt(token)
        except InvalidToken:
            return None

    def is_current(self, token: bytes) -> bool:
        """Return whether the first key has encrypted it."""
        try:
            self._first.decrypt(token)
        except InvalidToken:
            return False
        return True
