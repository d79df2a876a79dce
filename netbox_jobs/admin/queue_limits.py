"""Limits of queues in the admin: how many jobs of a queue run at once, changed while workers run."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest

from ..core import queues
from ..models import QueueLimit
from ..models.queues import MOST


class QueueLimitForm(forms.ModelForm):
    """A queue, by its name, and a number."""

    most = QueueLimit._meta.get_field('most').formfield(
        required=False, validators=[MinValueValidator(1), MaxValueValidator(MOST)]
    )

    class Meta:
        model = QueueLimit
        fields = ('name', 'most')

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if 'name' in self.fields:
            label = self.fields['name'].label
            choices = [(name, name) for name in queues.configured()]
            self.fields['name'] = forms.ChoiceField(choices=choices, label=label)


@admin.register(QueueLimit)
class QueueLimitAdmin(admin.ModelAdmin):
    """The limits that were set while workers run; those of other queues are in the settings."""

    form = QueueLimitForm
    list_display = ('name', 'most', 'changed')
    ordering = ('name',)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A row stays that of its queue."""
        return ('name',) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: QueueLimit, form: Any, change: bool) -> None:
        """Have the limit count from now on."""
        QueueLimit.set(obj.name, obj.most)

    def delete_model(self, request: HttpRequest, obj: QueueLimit) -> None:
        """Have the settings count again."""
        QueueLimit.reset(obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Have the settings count again for several queues."""
        for row in queryset:
            QueueLimit.reset(row.name)
