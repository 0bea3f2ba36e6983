"""The outlets that the options of a run ask for."""

from __future__ import annotations

from ..errors import OptionError
from ..settings.groups.delivery import DeliveryOptions, read_cooldown, read_secret
from .event_file import EventFile
from .hub import EventHub, Outlet


def make_hub(options: DeliveryOptions, several: bool = False) -> EventHub:
    """Return the hub of a run, with the outlets that its options ask for.

    Args:
        options: of the run.
        several: whether several cameras share the hub.

    Raises:
        OptionError: a secret cannot be read, or a package is missing.
    """
    outlets: list[Outlet] = []
    if options.events:
        outlets.append(EventFile(options.events))
    if options.webhook:
        from .webhook import Webhook  # requests takes a tenth of a second to import

        path = options.webhook_secret_file
        outlets.append(Webhook(options.webhook, read_secret("webhook_secret_file", path) if path else None))
    if options.mqtt:
        try:
            from .mqtt import Mqtt
        except ImportError as error:
            raise OptionError("mqtt needs the package paho-mqtt: pip install -r requirements-mqtt.txt") from error
        path = options.mqtt_password_file
        password = read_secret("mqtt_password_file", path) if path else None
        outlets.append(Mqtt(options.mqtt, password, options.mqtt_discovery, several))
    return EventHub(outlets, read_cooldown(options.cooldown))
