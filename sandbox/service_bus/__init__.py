"""A stand-in for Azure Service Bus queues: the AMQP 1.0 protocol that the unmodified SDKs speak, on one machine."""

from sandbox.service_bus.broker import Broker, start
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.settings import QueueSettings, queues_from_json

__all__ = ["Broker", "BrokerError", "Condition", "QueueSettings", "queues_from_json", "start"]
