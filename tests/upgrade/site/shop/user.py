"""Create the user of the web process of a version."""

import sys

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402

get_user_model().objects.create_superuser(sys.argv[1], password='x')
