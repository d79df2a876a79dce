"""The list of schedules, each with its latest jobs."""

from typing import Any

from django.contrib.admin import AllValuesFieldListFilter, BooleanFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from ..models import Schedule
from ..monitoring import related
from ..monitoring.schedules import ScheduleState, schedule_states
from . import markup


class PausedFilter(BooleanFieldListFilter):
    """By whether a schedule is paused."""

    template = 'admin/netbox_jobs/job/filter.html'
    parameter_name = 'paused'


class QueueNameFilter(AllValuesFieldListFilter):
    """By queue."""

    template = 'admin/netbox_jobs/job/filter.html'
    parameter_name = 'queue'


class ScheduleChangeList(ChangeList):
    """A page of schedules with their states and objects."""

    def get_results(self, request: HttpRequest) -> None:
        """Read one page of rows."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        states = schedule_states(Schedule.objects.filter(pk__in=[row.pk for row in self.result_list]))
        by_key = {state.schedule.pk: state for state in states}
        related.attach_objects(self.result_list)
        for schedule in self.result_list:
            schedule.schedule_state = by_key.get(schedule.pk) or ScheduleState(schedule)
            schedule.object_link = markup.object_link(self.model_admin.admin_site, request, schedule)
