"""The addresses that make fragments live. Mount them anywhere: `path('jobs/', include('netbox_jobs.urls'))`."""

from django.urls import path

from .web import views

app_name = 'netbox_jobs'
urlpatterns = [
    path('objects/', views.objects, name='objects'),
    path('notifications/', views.notifications, name='notifications'),
    path('enqueue/', views.enqueue, name='enqueue'),
    path('<int:pk>/status/', views.status, name='status'),
    path('<int:pk>/progress/', views.progress, name='progress'),
    path('<int:pk>/log/', views.log, name='log'),
    path('<int:pk>/stop/', views.stop, name='stop'),
    path('<int:pk>/retry/', views.retry, name='retry'),
]
