"""How hard a service may be asked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of the requests of one job; times in seconds.

    Attributes:
        connections: Requests under way at a time.
        requests_per_minute: Requests sent in a minute, at most.
        attempts: How often one request is sent, at most.
        timeout: The wait for one answer.
        patience: The time after which a request is not sent again.
        longest_wait: The longest wait that a service may ask for.
        failures: Consecutive failures after which the service counts as down.
        first_wait: The wait before the second attempt; it grows from there.
    """

    connections: int = 8
    requests_per_minute: int = 300
    attempts: int = 6
    timeout: float = 180
    patience: float = 600
    longest_wait: float = 120
    failures: int = 5
    first_wait: float = 1
