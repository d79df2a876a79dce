from django.http import HttpResponse
from django.urls import path

from tests.app import views
from tests.app.jobs import Plain
from tests.app.models import Thing


def enqueue(request):
    """Enqueue a job, and fail afterwards if told to."""
    thing = Thing.objects.create(name='made by the request')
    job = Plain.enqueue(instance=thing, word=request.GET.get('word', ''))
    if 'fail' in request.GET:
        raise RuntimeError('after the enqueue')
    return HttpResponse(str(job.pk))


urlpatterns = [path('enqueue/', enqueue), path('unsaved/', views.enqueue)]
