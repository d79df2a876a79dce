"""Pages of the plugin, mounted by the project."""

from django.contrib import admin
from django.urls import path

from .inventory.views import DeviceJobs, RenameDevices

urlpatterns = [
    path('admin/', admin.site.urls),
    path('devices/rename/', RenameDevices.as_view()),
    path('devices/<int:pk>/jobs/', DeviceJobs.as_view()),
]
