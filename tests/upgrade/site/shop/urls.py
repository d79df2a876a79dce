"""The admin, and a page that enqueues."""

from django.contrib import admin
from django.http import JsonResponse
from django.urls import path
from django.utils import timezone

from shop.jobs import Echo, Recurring, Stepping

WORDS = {'set': {1, 2}, 'text': 'caf\u00e9'}


def enqueue(request):
    """Enqueue one job in each way; the same object recurs, whichever version is asked."""
    jobs = [
        Echo.enqueue(instance=request.user, user=request.user, owner=request.user, words=WORDS, when=timezone.now()),
        *Echo.enqueue_many([{'owner': request.user, 'words': WORDS, 'when': timezone.now()}] * 2),
        Stepping.enqueue(words=WORDS),
    ]
    recurring = Recurring.enqueue_once(instance=request.user, interval=60)
    return JsonResponse({'jobs': [job.pk for job in jobs], 'recurring': recurring.pk})


urlpatterns = [path('admin/', admin.site.urls), path('enqueue/', enqueue)]
