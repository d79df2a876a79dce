"""The calendar of schedules: what runs in the next day or week, in the viewer's time zone."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..monitoring import calendar
from .base import PagesAdmin

#: Of a schedule with more runs on a day, the first and the last are shown.
TIMES = 3
_LABELS = {'1d': gettext_lazy('Next day'), '7d': gettext_lazy('Next week')}


class CalendarPage(PagesAdmin):
    """The part of the admin of schedules that shows when they run."""

    def calendar_urls(self) -> list[Any]:
        """The page."""
        return [path('calendar/', self.page(self.calendar_view), name='netbox_jobs_schedule_calendar')]

    def calendar_view(self, request: HttpRequest) -> HttpResponse:
        """The runs to come, by day; `tz` names a time zone other than that of the project or the user."""
        self.check_view(request)
        period = request.GET.get('period', '')
        period = period if period in calendar.PERIODS else '1d'
        name = request.GET.get('tz', '')
        known = bool(name) and settings.USE_TZ and name in available_timezones()  # it reads directories
        with timezone.override(ZoneInfo(name) if known else timezone.get_current_timezone()):
            found = calendar.upcoming(calendar.PERIODS[period])
            response = self.render(
                request,
                'admin/netbox_jobs/schedule/calendar.html',
                _('Calendar'),
                calendar=found,
                days=[(_label(day), runs) for day, runs in found.days.items()],
                most_times=TIMES,
                limit=calendar.SCHEDULES,
                period=period,
                periods=[(key, label, key == period) for key, label in _LABELS.items()],
                zone=timezone.get_current_timezone_name() if settings.USE_TZ else '',
                chosen=name if known else '',
            )
            # Rendered here, in this time zone.
            return response.render()


def _label(day: date) -> str:
    return date_format(day, 'l, Y-m-d')
