# The demonstration project, for docker-compose.yml; your own project's image looks much the same.
FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1
WORKDIR /srv
COPY pyproject.toml README.md LICENSE ./
COPY netbox_jobs netbox_jobs
RUN pip install --no-cache-dir '.[postgres]' gunicorn
COPY manage.py ./
COPY project project
COPY example_plugin example_plugin
RUN useradd --system site
USER site
