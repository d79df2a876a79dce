"""The address of the metrics: `path('metrics', include('netbox_jobs.contrib.metrics.urls'))`."""

from django.urls import path

from .views import metrics

app_name = 'netbox_jobs_metrics'
urlpatterns = [path('', metrics, name='metrics')]
