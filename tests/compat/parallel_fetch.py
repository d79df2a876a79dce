"""Fetches side by side, with asyncio and its threads, and logs from there."""

import asyncio

from netbox_jobs.jobs import JobRunner


class ParallelFetchJob(JobRunner):
    class Meta:
        name = 'Parallel fetch'

    def fetch(self, url):
        self.logger.info('fetched %s', url)
        return len(url)

    async def fetch_all(self, urls):
        return await asyncio.gather(*(asyncio.to_thread(self.fetch, url) for url in urls))

    def run(self, urls, **kwargs):
        self.job.data = dict(zip(urls, asyncio.run(self.fetch_all(urls)), strict=True))
