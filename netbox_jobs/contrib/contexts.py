"""Contexts for `NETBOX_JOBS['CONTEXT']`: the language, the time zone, and the schema of a tenant on PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from ..models import database


class Language:
    """The language that is active at the call, as `LocaleMiddleware` activates that of a request."""

    name = 'language'

    def capture(self) -> str | None:
        """Return the code of the active language."""
        return translation.get_language()

    def restore(self, value: str) -> AbstractContextManager[Any]:
        """Activate the language."""
        return translation.override(value)


class TimeZone:
    """The time zone that is active at the call (`django.utils.timezone.activate()`)."""

    name = 'time_zone'

    def capture(self) -> str | None:
        """Return the name of the active time zone; None for one without a name, or if it is the project's."""
        active = timezone.get_current_timezone()
        return active.key if isinstance(active, ZoneInfo) and active.key != settings.TIME_ZONE else None

    def restore(self, value: str) -> AbstractContextManager[Any]:
        """Activate the time zone.

        Raises:
            ZoneInfoNotFoundError: This machine does not know it.
        """
        return timezone.override(ZoneInfo(value))


class TenantSchema:
    """The tenant of django-tenants that is active at the call. `netbox_jobs` must be in `SHARED_APPS` alone."""

    name = 'tenant'
    separates_objects = True

    def capture(self) -> str:
        """Return the name of the tenant's schema."""
        connection: Any = connections[_tenants('get_tenant_database_alias')]
        return str(connection.schema_name)

    @contextmanager
    def restore(self, value: str) -> Iterator[None]:
        """Set the tenant of the connection.

        Raises:
            DoesNotExist: There is no such tenant any more. (PostgreSQL itself would read the public schema then.)
        """
        alias, public = _tenants('get_tenant_database_alias'), _tenants('get_public_schema_name')
        connection: Any = connections[alias]
        before, included = connection.tenant, connection.include_public_schema
        connection.set_schema_to_public()
        try:
            if value != public:
                tenants = import_string('django_tenants.utils.get_tenant_model')()._base_manager
                connection.set_tenant(tenants.using(alias).get(schema_name=value))
            yield
        finally:
            connection.set_tenant(before, included)


def _tenants(name: str) -> str:
    return str(import_string(f'django_tenants.utils.{name}')())


class SearchPath:
    """The `search_path` of PostgreSQL that is set at the call, on the connection to the database of the jobs.

    For projects that set it themselves, for example in a middleware. Not with PgBouncer in transaction mode, which
    gives a session to one transaction after another.
    """

    name = 'search_path'
    separates_objects = True

    def capture(self) -> list[str] | None:
        """Return the schemas that are searched; None off PostgreSQL."""
        if connections[database()].vendor != 'postgresql':
            return None
        return self._read()

    @contextmanager
    def restore(self, value: Sequence[str]) -> Iterator[None]:
        """Set the `search_path`, also of a connection that is made anew meanwhile.

        Raises:
            LookupError: One of the schemas does not exist. (PostgreSQL itself would search the others.)
        """
        alias = database()
        before = self._read()

        def set_again(connection: Any, **kwargs: Any) -> None:
            if connection is connections[alias]:
                self._set(value)

        self._set(value)
        try:
            if missing := sorted(set(value) - set(self._read())):
                raise LookupError(f'There is no schema {", ".join(missing)}.')
            connection_created.connect(set_again, weak=False)
            try:
                yield
            finally:
                connection_created.disconnect(set_again)
        finally:
            self._set(before)

    def _read(self) -> list[str]:
        with connections[database()].cursor() as cursor:
            cursor.execute('SELECT current_schemas(false)')
            return list(cursor.fetchone()[0])

    def _set(self, schemas: Sequence[str]) -> None:
        connection = connections[database()]
        path = ', '.join(connection.ops.quote_name(schema) for schema in schemas)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('search_path', %s, false)", [path])
