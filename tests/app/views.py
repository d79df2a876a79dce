"""Views that enqueue for an object before it is saved; also the root of URLs with them."""

from django.http import HttpResponse
from django.urls import path

from .jobs import Plain
from .models import Thing

#: The objects of requests that are to outlive them.
kept = []


def enqueue(request):
    """Enqueue a job about a new object, and save that if told to."""
    thing = Thing(name='made by the request')
    job = Plain.enqueue_once(instance=thing, interval=10)
    if request.GET.get('keep'):
        kept.append(thing)
    if request.GET.get('fail'):
        raise RuntimeError('after the enqueue')
    if request.GET.get('save'):
        thing.save()
    return HttpResponse(str(job.pk))


urlpatterns = [path('enqueue/', enqueue)]
