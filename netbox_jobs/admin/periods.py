"""The periods that pages offer: the last hour, day and week, by their names in the address."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..monitoring.performance import PERIODS

_LABELS = {'1h': _('Last hour'), '24h': _('Last day'), '7d': _('Last week')}


def choices(request: HttpRequest) -> tuple[str, list[tuple[str, Any, bool]]]:
    """Return the period that the address names, a day without one, and the choices for the page: key, label, chosen."""
    chosen = request.GET.get('period', '')
    chosen = chosen if chosen in PERIODS else '24h'
    return chosen, [(key, label, key == chosen) for key, label in _LABELS.items()]
