"""What happens now: queues, workers, running jobs, schedules, the last day, and why jobs wait."""
