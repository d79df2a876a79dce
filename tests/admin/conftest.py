"""A superuser at the admin."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client


@pytest.fixture
def boss():
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser('boss'))
    return browser
