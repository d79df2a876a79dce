"""SQL that fills tables, where PostgreSQL and MariaDB differ."""

from django.db import connections


class Dialect:
    """The few words that differ."""

    def __init__(self, using: str) -> None:
        self.postgresql = connections[using].vendor == 'postgresql'
        self.n = 'g.n' if self.postgresql else 'g.seq'
        self.uuid = 'gen_random_uuid()' if self.postgresql else 'UUID()'
        self.text = 'text' if self.postgresql else 'char'

    def series(self, count: int) -> str:
        """The numbers from 1 to `count`, as the table `g`."""
        return f'generate_series(1, {count}) AS g(n)' if self.postgresql else f'seq_1_to_{count} AS g'

    def ago(self, seconds: str) -> str:
        """The moment so many seconds ago."""
        if self.postgresql:
            return f"now() - ({seconds}) * interval '1 second'"
        return f'UTC_TIMESTAMP(6) - INTERVAL ({seconds}) SECOND'

    def milliseconds_ago(self, seconds: str) -> str:
        """The same, in milliseconds since the epoch."""
        now = 'extract(epoch from now())' if self.postgresql else 'UNIX_TIMESTAMP()'
        return f'CAST(({now} - ({seconds})) * 1000 AS {"bigint" if self.postgresql else "signed"})'
