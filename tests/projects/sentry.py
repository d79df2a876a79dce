"""A project that reports to Sentry as the page on traces says, with all that its SDK switches on by itself."""

import os

import sentry_sdk
from sentry_sdk.integrations.rq import RqIntegration

from tests.settings import *  # noqa: F403

sentry_sdk.init(
    dsn=os.environ['TEST_SENTRY'],
    release='1',  # or it would ask git
    disabled_integrations=[RqIntegration],
    traces_sample_rate=1.0,
)
NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.sentry.SentryWithMonitors']}
