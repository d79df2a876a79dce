from django.urls import path

from . import views

app_name = 'example_plugin'
urlpatterns = [
    path('', views.SourceListView.as_view(), name='sources'),
    path('sync/', views.SyncAllView.as_view(), name='sync_all'),
    path('add/', views.SourceCreateView.as_view(), name='add'),
    path('<int:pk>/', views.SourceView.as_view(), name='source'),
    path('<int:pk>/records/', views.RecordsView.as_view(), name='records'),
    path('<int:pk>/edit/', views.SourceEditView.as_view(), name='edit'),
    path('<int:pk>/sync/', views.SyncView.as_view(), name='sync'),
]
