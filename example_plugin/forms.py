from django import forms

from .models import Source


class SourceForm(forms.ModelForm):
    class Meta:
        model = Source
        fields = ('name', 'url', 'sync_interval')
        help_texts = {'url': 'A list of records in JSON.'}
