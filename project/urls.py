from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path('', RedirectView.as_view(pattern_name='example_plugin:sources')),
    path('accounts/', include('django.contrib.auth.urls')),
    path('admin/', admin.site.urls),
    path('jobs/', include('netbox_jobs.urls')),  # what keeps the jobs on a plugin's pages up to date
    path('sources/', include('example_plugin.urls')),
]
