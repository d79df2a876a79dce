"""The address from which the jobs on an object's page update themselves."""

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_object_of_a_model_without_a_table_is_not_found(admin_client):
    [model] = [model for model in admin.site._registry if not model._meta.managed]  # the dashboard of django-rq
    kind = ContentType.objects.get_for_model(model)
    assert admin_client.get(f'/admin/netbox_jobs/job/of/{kind.pk}/1/').status_code == 404
