"""Limits of queues in the admin: how many jobs of a queue run at once, changed while workers run."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..core import formatting, queues
from ..models import QueueLimit
from ..models.queues import MOST
from . import markup
from .base import notices


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
    actions = None
    list_display: Any = ('name_column', 'most_column', 'changed_column')
    list_display_links = None
    sortable_by = ()
    ordering = ('name',)
    search_fields = ('name',)
    search_placeholder = gettext_lazy('Queue')
    empty_text = gettext_lazy('No limit is set here. The limits of the settings apply.')

    class Media:
        js = ('netbox_jobs/admin.js',)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {'title': title, **notices(), **(extra_context or {})})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A row stays that of its queue."""
        return ('name',) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: QueueLimit, form: Any, change: bool) -> None:
        """Have the limit count from now on."""
        QueueLimit.set(obj.name, obj.most)

    def delete_model(self, request: HttpRequest, obj: QueueLimit) -> None:
        """Have the settings count again."""
        QueueLimit.reset(obj.name)

    @admin.display(description=gettext_lazy('queue'))
    def name_column(self, limit: QueueLimit) -> SafeString:
        """The name, linked to the form."""
        name = f'admin:{self.opts.app_label}_{self.opts.model_name}_change'
        address = reverse(name, args=(quote(limit.pk),), current_app=self.admin_site.name)
        return format_html('<a class="nj-name" href="{}"><bdi>{}</bdi></a>', address, formatting.cut(limit.name, 100))

    @admin.display(description=gettext_lazy('jobs at once'))
    def most_column(self, limit: QueueLimit) -> str:
        """The limit."""
        return _('no limit') if limit.most is None else formatting.number(limit.most)

    @admin.display(description=gettext_lazy('changed'))
    def changed_column(self, limit: QueueLimit) -> SafeString | str:
        """When it was set."""
        return markup.moment(limit.changed)
