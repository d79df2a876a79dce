"""Users with different permissions, and their clients of the API."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient


class Client(APIClient):
    """A client whose answers are JSON, and that remembers its user."""

    def __init__(self, user=None):
        super().__init__()
        self.user = user
        if user is not None:
            self.force_login(user)

    def request(self, **kwargs):
        response = super().request(**kwargs)
        if response.status_code >= 400:
            assert response['Content-Type'] == 'application/problem+json', response.content
            assert response.json()['status'] == response.status_code
            assert response.json()['title'] and response.json()['detail'] and response.json()['code']
        return response


@pytest.fixture
def client_of(db):
    """Make a user with these permissions, and a client of theirs."""
    users = get_user_model().objects

    def make(name, *codenames):
        user = users.create_user(name)
        found = Permission.objects.filter(
            content_type__app_label__in=('netbox_jobs', 'testapp'), codename__in=codenames
        )
        assert found.count() == len(codenames)
        user.user_permissions.set(found)
        return Client(user)

    return make


@pytest.fixture
def boss(db):
    """A client that may do everything."""
    return Client(get_user_model().objects.create_superuser('boss'))


@pytest.fixture
def visitor(db):
    """A client without a user."""
    return Client()
