"""Events and counts for an MQTT broker, and for Home Assistant."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ..settings.groups.delivery import MQTT_EXAMPLE, mqtt_prefix, split_address
from .hub import Event
from .sender import QUEUE, Sender
from .tally import Tally

BACK_OFF = (1.0, 30.0)  # seconds between tries to reach the broker: at first, and at most
KEEP_ALIVE = 30  # seconds
PORTS = {"mqtt": 1883, "mqtts": 8883}
DISCOVERY = "homeassistant"  # the topic below which Home Assistant looks for devices


class Mqtt(Sender):
    """Publishes every event, and retained counts, with QoS 1.

    Below the prefix: ``events``; ``line/LINE/DIRECTION``, how many crossed since the run began; ``zone/ZONE/people``,
    how many are inside; ``available``, ``online`` or ``offline``, the latter by the broker itself when the run dies.
    While the broker is away the counts go on, and come right as soon as it is back.

    Args:
        url: ``mqtt://USER:PASSWORD@HOST:PORT/PREFIX``, or ``mqtts``; only the host is needed.
        password: in place of the one in the address.
        discovery: whether Home Assistant is told of the counts as sensors.
        several: whether several cameras share this; their counts are then below ``PREFIX/CAMERA``.
        limit: events that may wait.
        back_off: seconds between tries to reach the broker, the first one and the longest.
    """

    name = "mqtt"

    def __init__(
        self,
        url: str,
        password: bytes | None = None,
        discovery: bool = False,
        several: bool = False,
        limit: int = QUEUE,
        back_off: tuple[float, float] = BACK_OFF,
    ) -> None:
        parts = split_address("mqtt", url, MQTT_EXAMPLE)
        self._host, self._port = str(parts.hostname), parts.port or PORTS[parts.scheme]
        super().__init__(f"{parts.scheme}://{self._host}:{self._port}", limit)
        self._prefix = mqtt_prefix(parts.path)
        self._discovery, self._several = discovery, several
        self._connected = self._refused = False
        self._acknowledged: set[int] = set()
        self._states: dict[str, str] = {}  # by topic
        self._sensors: dict[str, str] = {}  # what Home Assistant is told, by topic
        self._unpublished: set[str] = set()  # topics of states that the broker does not have yet
        self._tallies: dict[str, Tally] = {}  # by camera
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        if parts.username is not None:
            secret = unquote(parts.password) if parts.password is not None else None
            self._client.username_pw_set(
                unquote(parts.username), password.decode(errors="replace") if password else secret
            )
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(self._topic("available"), "offline", qos=1, retain=True)
        self._client.reconnect_delay_set(*back_off)  # type: ignore[arg-type]  # any numbers
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def open(self) -> None:
        """Begin to look for the broker."""
        self._client.connect_async(self._host, self._port, KEEP_ALIVE)
        self._client.loop_start()
        super().open()

    def begin(self, camera: str, lines: Mapping[str, tuple[str, str]], zones: Sequence[str]) -> None:
        """Let all counts begin at 0; those of a scene before are taken from the broker."""
        with self._changed:
            before = self._counts(camera)
            self._tallies[camera] = Tally(lines, zones)
            for topic in before.keys() - self._counts(camera).keys():
                self._remove(topic)
            self._show_counts(camera)
            for line, directions in lines.items():
                for direction in directions:
                    topic = self._count_topic(camera, "line", line, direction)
                    self._add_sensor(topic, f"{line} {direction}", camera, "total_increasing")
            for zone in zones:
                topic = self._count_topic(camera, "zone", zone, "people")
                self._add_sensor(topic, f"people in {zone}", camera, "measurement")

    def count(self, event: Event) -> None:
        """Count who crossed, and who is inside."""
        with self._changed:
            if tally := self._tallies.get(event["camera"]):
                tally.take(event)
                self._show_counts(event["camera"])

    def deliver(self, event: Event) -> bool:
        """Publish an event once the broker is there, and wait until it has it."""
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._is_over())
            if not self._connected:
                return False
        self.idle()
        return self._publish(self._topic("events"), json.dumps(event, ensure_ascii=False, default=str))

    def idle(self) -> None:
        """Publish the counts that changed."""
        with self._changed:
            topics = sorted(self._unpublished) if self._connected else []
            states = {topic: self._sensors.get(topic, self._states.get(topic, "online")) for topic in topics}
            self._unpublished.difference_update(topics)
        for topic, state in states.items():
            self._client.publish(topic, state, qos=1, retain=True)

    def finish(self) -> None:
        """Say good-bye, so that the broker need not do it."""
        self.idle()
        if self._connected:
            self._publish(self._topic("available"), "offline", retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _has_more(self) -> bool:
        return self._connected and bool(self._unpublished)

    def _is_over(self) -> bool:
        return self._stopped or (self._hurried and self._refused)

    def _publish(self, topic: str, text: str, retain: bool = False) -> bool:
        number = self._client.publish(topic, text, qos=1, retain=retain).mid
        with self._changed:
            self._changed.wait_for(lambda: number in self._acknowledged or self._is_over())
            done = number in self._acknowledged
            self._acknowledged.clear()
        return done

    def _topic(self, *levels: str) -> str:
        return "/".join([self._prefix, *(re.sub(r"[/+#\0]", "_", level) for level in levels)])

    def _count_topic(self, camera: str, *levels: str) -> str:
        return self._topic(camera, *levels) if self._several else self._topic(*levels)

    def _show_counts(self, camera: str) -> None:
        for topic, count in self._counts(camera).items():
            self._set(topic, str(count))

    def _counts(self, camera: str) -> Counter[str]:
        """Return the counts of a camera by topic; names that differ may have one topic."""
        counts = Counter[str]()
        tally = self._tallies.get(camera)
        if tally:
            for (line, direction), count in tally.crossings.items():
                counts[self._count_topic(camera, "line", line, direction)] += count
            for zone, people in tally.inside.items():
                counts[self._count_topic(camera, "zone", zone, "people")] += len(people)
        return counts

    def _remove(self, topic: str) -> None:
        """Take a count from the broker, which forgets what it retains where the text is empty; and its sensor."""
        self._set(topic, "")
        sensor = self._sensor_topic(topic)
        if sensor in self._sensors:
            self._sensors[sensor] = ""
            self._unpublished.add(sensor)

    def _set(self, topic: str, state: str) -> None:
        if self._states.get(topic) != state:
            self._states[topic] = state
            self._unpublished.add(topic)
            self._changed.notify_all()

    def _sensor_topic(self, topic: str) -> str:
        return f"{DISCOVERY}/sensor/{_identifier(topic)}/config"

    def _add_sensor(self, topic: str, name: str, camera: str, state_class: str) -> None:
        if not self._discovery:
            return
        device = _identifier(self._count_topic(camera).rstrip("/"))
        self._sensors[self._sensor_topic(topic)] = json.dumps(
            {
                "name": name,
                "unique_id": _identifier(topic),
                "state_topic": topic,
                "availability_topic": self._topic("available"),
                "state_class": state_class,
                "unit_of_measurement": "people",
                "icon": "mdi:walk",
                "device": {"identifiers": [device], "name": camera, "model": "Pedestrian tracker"},
            },
            ensure_ascii=False,
        )
        self._unpublished.update(self._sensors)

    # Called in paho's thread

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._note(connected=False)
            self.failed(f"the broker refuses the connection ({code})")
            return
        self._note(connected=True)

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        self._note(connected=False)
        self.failed("no connection")

    def _on_disconnect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        self._note(connected=False)
        if code.is_failure:
            self.failed("the connection is lost")

    def _on_publish(self, client: Any, data: Any, number: int, code: Any, properties: Any) -> None:
        with self._changed:
            self._acknowledged.add(number)
            self._changed.notify_all()

    def _note(self, connected: bool) -> None:
        with self._changed:
            self._connected, self._refused = connected, not connected
            if connected:  # another broker may have taken the place of the one before
                self._unpublished.update(self._states, self._sensors, [self._topic("available")])
            self._changed.notify_all()


def _identifier(text: str) -> str:
    """Return a name of letters, digits and underscores for a topic; different ones for different topics."""
    plain = re.sub(r"[^A-Za-z0-9]", "_", text)
    return plain if plain == text.replace("/", "_") else f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
