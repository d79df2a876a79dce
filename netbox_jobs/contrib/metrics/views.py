"""The page that Prometheus reads."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ...core import conf
from ...monitoring.permissions import VIEW
from .collector import JobsCollector

#: A registry of its own, so that the page is the same from every process.
REGISTRY = CollectorRegistry()
REGISTRY.register(JobsCollector())


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics, to a request with the token, or of a user who may view all jobs."""
    if not _may_read(request):
        return HttpResponse(
            "Send the header 'Authorization: Bearer' with the token of NETBOX_JOBS['METRICS_TOKEN'].\n",
            status=401,
            headers={'WWW-Authenticate': 'Bearer'},
            content_type='text/plain; charset=utf-8',
        )
    encode, content_type = choose_encoder(request.headers.get('Accept', ''))
    return HttpResponse(encode(REGISTRY), content_type=content_type)


def _may_read(request: HttpRequest) -> bool:
    token = conf.get('METRICS_TOKEN')
    kind, _space, given = request.headers.get('Authorization', '').partition(' ')
    if token and kind.lower() == 'bearer' and constant_time_compare(given.strip(), token):
        return True
    user = getattr(request, 'user', None)
    return user is not None and bool(user.has_perm(VIEW))
