"""Addresses for load balancers and orchestrators: `path('health/', include('netbox_jobs.contrib.health'))`."""

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..monitoring import health


@transaction.non_atomic_requests
@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answer 200: this process serves requests. It asks nothing, so that no outage elsewhere restarts it."""
    return JsonResponse({'status': 'ok'})


@transaction.non_atomic_requests
@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 if the process can do its work, else 503; 'degraded' if Redis is away, as jobs are stored then."""
    checks = health.look()
    able = health.ready(checks)
    status = 'failed' if not able else 'ok' if all(check.ok for check in checks) else 'degraded'
    # Without the texts: anyone may read this.
    document = {'status': status, 'checks': {check.name: 'ok' if check.ok else 'failed' for check in checks}}
    return JsonResponse(document, status=200 if able else 503)


app_name = 'netbox_jobs_health'
urlpatterns = [path('live', live, name='live'), path('ready', ready, name='ready')]
