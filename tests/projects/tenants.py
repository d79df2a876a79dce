"""A schema for each tenant, by django-tenants: PostgreSQL alone."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, MIDDLEWARE

DATABASES['default']['ENGINE'] = 'django_tenants.postgresql_backend'
DATABASES['default']['TEST']['NAME'] += '_tenants'
if os.environ.get('TEST_IN_WORKER'):
    DATABASES['default']['NAME'] = DATABASES['default']['TEST']['NAME']
DATABASE_ROUTERS = ['django_tenants.routers.TenantSyncRouter']
TENANT_APPS = ['tests.app']
SHARED_APPS = ['django_tenants', 'tests.projects.customers', *(app for app in INSTALLED_APPS if app != 'tests.app')]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
MIDDLEWARE = ['django_tenants.middleware.main.TenantMainMiddleware', *MIDDLEWARE]
TENANT_MODEL = 'customers.Customer'
TENANT_DOMAIN_MODEL = 'customers.Domain'
NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.contexts.TenantSchema'], 'WORKER_TIMEOUT': 6}
SHOW_PUBLIC_IF_NO_TENANT_FOUND = True
