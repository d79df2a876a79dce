"""Times, from now on."""

from datetime import timedelta

from django.utils import timezone


def at(hours):
    return timezone.now() + timedelta(hours=hours)
