"""The list of schedules, each with its latest jobs."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from ..models import Schedule
from ..monitoring import overview
from . import marks, rows


class ScheduleChangeList(ChangeList):
    """A page of schedules, dressed with what its rows show."""

    def get_results(self, request: HttpRequest) -> None:
        """One page; see `ChangeList`."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        states = overview.schedule_states(Schedule.objects.filter(pk__in=[row.pk for row in self.result_list]))
        by_key = {state.schedule.pk: state for state in states}
        rows.dress_with_objects(self.result_list)
        for schedule in self.result_list:
            schedule.shown_state = by_key.get(schedule.pk) or overview.ScheduleState(schedule)
            schedule.shown_about = marks.about(self.model_admin.admin_site, request, schedule)
