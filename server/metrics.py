"""What Prometheus sees. Labels come from fixed sets, never from clients."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from streaming import events

LATENCY_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0)
"""Fine around the targets of a turn: 0.5, 0.8 and 1.4 s."""

STAGES = ("endpointing", "transcription", "thinking", "synthesis", "rendering")


class Metrics:
    """One server's metrics, in a registry of their own so that two apps in a process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.active = Gauge("parley_conversations_active", "Conversations now", ["transport"], registry=self.registry)
        self.ended = Counter(
            "parley_conversations_ended",
            "Conversations by how they ended",
            ["transport", "reason"],
            registry=self.registry,
        )
        self.refused = Counter("parley_requests_refused", "Requests refused", ["code"], registry=self.registry)
        self.secrets = Counter("parley_client_secrets_minted", "Client secrets minted", registry=self.registry)
        self.client_errors = Counter(
            "parley_client_events_refused", "Client events refused", ["code"], registry=self.registry
        )
        self.responses = Counter("parley_responses", "Responses by how they ended", ["status"], registry=self.registry)
        self.failures = Counter("parley_failures", "Failures that a user was told of", ["code"], registry=self.registry)
        self.turn_seconds = Histogram(
            "parley_turn_seconds", "Last voice to first beat sent", buckets=LATENCY_BUCKETS_S, registry=self.registry
        )
        self.stage_seconds = Histogram(
            "parley_turn_stage_seconds", "A turn's latency by stage", ["stage"], buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )  # fmt: skip

    def count_event(self, event: events.Event) -> None:
        """Count what a conversation tells."""
        if isinstance(event, events.ResponseDone):
            self.responses.labels(event.status).inc()
        elif isinstance(event, (events.Failed, events.OutputLost)):
            self.failures.labels(event.code).inc()
        elif isinstance(event, events.TurnLatency):
            self.turn_seconds.observe(event.total_ms / 1000)
            for stage, stage_ms in event.stages.items():
                if stage in STAGES:
                    self.stage_seconds.labels(stage).observe(stage_ms / 1000)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
