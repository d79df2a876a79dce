"""Clients of users with some permissions."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client


@pytest.fixture
def client_with(db):
    """Make the client of a member of the staff with these permissions."""

    def make(*codenames):
        user, _new = get_user_model().objects.get_or_create(username=' '.join(codenames) or 'none', is_staff=True)
        found = Permission.objects.filter(content_type__app_label='netbox_jobs', codename__in=codenames)
        assert found.count() == len(codenames)
        user.user_permissions.set(found)
        client = Client()
        client.force_login(user)
        return client

    return make
