"""Encryption at rest: of arguments, results of steps and data, by the keys in `NETBOX_JOBS['ENCRYPTION_KEYS']`.

The format of stored arguments says whether a job is encrypted (`'pickle+fernet'`); data that is encrypted is a JSON
object with one key.
"""

import json
from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.module_loading import import_string

from ..exceptions import EncryptionKeyMissing
from . import conf

#: What the name of a format ends with whose payload is encrypted.
SUFFIX = '+fernet'
#: The one key of data that is encrypted.
ENVELOPE = '$encrypted'


def is_wanted(runner: Any) -> bool:
    """Return whether new jobs of a runner are encrypted: by its `Meta.encrypted`, else by the setting."""
    own = getattr(getattr(runner, 'Meta', None), 'encrypted', None)
    return bool(conf.get('ENCRYPT') if own is None else own)


def is_encrypted(format: str) -> bool:
    """Return whether arguments of this format are encrypted, and so are the data of their job."""
    return format.endswith(SUFFIX)


def ring() -> Any:
    """Return the keys; None if there are none.

    Raises:
        ImproperlyConfigured: One is no key, or the package `cryptography` is not installed.
    """
    keys = tuple(conf.get('ENCRYPTION_KEYS'))
    return _ring(keys) if keys else None


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> Any:
    try:
        return import_string('netbox_jobs.contrib.encryption.KeyRing')(keys)
    except ImportError as error:
        raise ImproperlyConfigured(
            "NETBOX_JOBS['ENCRYPTION_KEYS'] needs the package cryptography; install netbox-jobs[encryption]."
        ) from error


def encrypt(data: bytes) -> bytes:
    """Return the data, encrypted.

    Raises:
        ImproperlyConfigured: There is no key.
    """
    keys = ring()
    if keys is None:
        raise ImproperlyConfigured(
            "The job is to be encrypted (Meta.encrypted, or NETBOX_JOBS['ENCRYPT']), and "
            "NETBOX_JOBS['ENCRYPTION_KEYS'] has no key. Add one, as Fernet.generate_key() makes it."
        )
    return bytes(keys.encrypt(data))


def decrypt(token: bytes) -> bytes:
    """Return decrypted data.

    Raises:
        EncryptionKeyMissing: This process has not the key.
    """
    keys = ring()
    data = keys.decrypt(token) if keys is not None else None
    if data is None:
        raise EncryptionKeyMissing(
            "The job is encrypted with a key that is not in NETBOX_JOBS['ENCRYPTION_KEYS'] of this process. Add it, "
            'also behind a newer one, until "manage.py jobs reencrypt" has finished.'
        )
    return bytes(data)


def encrypt_data(value: Any) -> Any:
    """Return data as a row keeps it; what is encrypted already, and None, as they are.

    Raises:
        ValueError: It cannot be encrypted, as there is no key.
    """
    if value is None or token_of(value) is not None:
        return value
    try:
        return {ENVELOPE: encrypt(json.dumps(value, cls=DjangoJSONEncoder).encode()).decode()}
    except ImproperlyConfigured as error:
        raise ValueError(f'job.data cannot be encrypted: {error}') from error


def decrypt_data(value: Any) -> Any:
    """Return the data of a row; as it is if it is not encrypted, or not with a key of this process."""
    token = token_of(value)
    if token is None:
        return value
    try:
        return json.loads(decrypt(token))
    except (EncryptionKeyMissing, ImproperlyConfigured, ValueError):
        return value


def token_of(value: Any) -> bytes | None:
    """Return what is encrypted in the data of a row; None if it is not encrypted."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(token := value.get(ENVELOPE), str):
        return token.encode()
    return None
