"""The pages of the project without the admin."""

from django.urls import include, path

urlpatterns = [path('jobs/', include('netbox_jobs.urls'))]
