"""A mosquitto broker on loopback that can be killed and started again, and somebody who subscribes to all of it."""

import contextlib
import getpass
import shutil
import socket
import subprocess
import threading
import time

import pytest

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Broker:
    """Mosquitto with the user ``camera``, password ``hidden``; what it holds survives a restart."""

    def __init__(self, folder):
        self.port = free_port()
        self.folder = folder
        self._process = None
        passwords = folder / "passwords"
        tool = shutil.which("mosquitto_passwd", path=f"{PROGRAM.rpartition('/')[0]}:/usr/bin")
        subprocess.run([tool, "-b", "-c", str(passwords), "camera", "hidden"], check=True, capture_output=True)
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            f"user {getpass.getuser()}\n"
            f"persistence true\npersistence_location {folder}/\nlog_dest file {folder}/log\nlog_type all\n"
        )

    def start(self):
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self.folder / "mosquitto.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(1000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.01)
        raise AssertionError("mosquitto does not start")

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def address(self, rest="/front/street", user="camera:hidden@"):
        return f"mqtt://{user}127.0.0.1:{self.port}{rest}"


class Subscriber:
    """Gets all messages, also those of the time when the broker was away."""

    def __init__(self, broker, name="first"):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages = []  # topic, text, retained
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self.client.username_pw_set("camera", "hidden")
        self.client.reconnect_delay_set(0.02, 0.02)
        self.client.on_message = self._take
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self._ready.wait(10)

    def _take(self, client, data, message):
        with self._changed:
            made = (message.topic, message.payload.decode(), message.retain)
            if not (message.dup and made in self.messages):  # the broker ended before it had the acknowledgement
                self.messages.append(made)
            self._changed.notify_all()

    def wait(self, condition):
        """Wait until a condition on the messages holds."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.messages), 20), self.messages[-5:]

    def of(self, topic):
        """The texts of a topic, in order."""
        with self._changed:
            return [text for name, text, _ in self.messages if name == topic]

    def newest(self):
        """The last text of every topic."""
        with self._changed:
            return {topic: text for topic, text, _ in self.messages}

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def broker(tmp_path_factory):
    pytest.importorskip("paho.mqtt", reason="MQTT needs paho-mqtt (requirements-mqtt.txt)")
    if PROGRAM is None:
        pytest.skip("MQTT is tested against mosquitto: apt-get install mosquitto")
    made = Broker(tmp_path_factory.mktemp("broker"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def subscriber(broker):
    made = Subscriber(broker)
    yield made
    made.close()
