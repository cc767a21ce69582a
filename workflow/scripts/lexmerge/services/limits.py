"""Limits of the requests to a service."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of the requests of one job; times in seconds.

    Attributes:
        connections: Maximum number of concurrent requests.
        requests_per_minute: Maximum number of requests sent in a minute.
        attempts: Maximum number of times that one request is sent.
        timeout: Maximum time to wait for one answer.
        patience: Time after which a failing request is not sent again.
        longest_wait: Longest Retry-After that is followed; the job stops if the service asks for more.
        failures: Consecutive failures after which the service counts as down.
        first_wait: Wait before the second attempt; later waits grow exponentially.
    """

    connections: int = 8
    requests_per_minute: int = 300
    attempts: int = 6
    timeout: float = 180
    patience: float = 600
    longest_wait: float = 120
    failures: int = 5
    first_wait: float = 1
