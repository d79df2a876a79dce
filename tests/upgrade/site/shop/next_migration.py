"""Stands for the migration of the next release: it rewrites nothing, and old code works beside it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('netbox_jobs', '0001_initial')]
    operations = [
        migrations.AddField('job', 'of_the_next_release', models.CharField(max_length=20, null=True)),
        migrations.AddField('schedule', 'of_the_next_release', models.IntegerField(null=True)),
        migrations.AddIndex('job', models.Index(fields=['of_the_next_release'], name='of_the_next_release')),
    ]
