from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path('', RedirectView.as_view(pattern_name='example_plugin:sources')),
    path('accounts/', include('django.contrib.auth.urls')),
    path('admin/', admin.site.urls),
    path('health/', include('netbox_jobs.contrib.health')),
    path('jobs/', include('netbox_jobs.urls')),  # what keeps the jobs on a plugin's pages up to date
    path('sources/', include('example_plugin.urls')),
]
# What the extras add, where they are installed.
if find_spec('prometheus_client'):
    urlpatterns.append(path('metrics', include('netbox_jobs.contrib.metrics.urls')))
if find_spec('rest_framework') and find_spec('django_filters') and find_spec('drf_spectacular'):
    urlpatterns.append(path('api/', include('netbox_jobs.contrib.rest.urls')))
