"""Where a run tells what happens while it goes on: event files, webhooks, MQTT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ...errors import OptionError
from ..checks import check_number, check_settings, flag, setting, shown

EVENT_KINDS = (
    *("appeared", "ended", "crossed", "entered", "left", "loitering", "crowd", "still"),
    *("recognised", "stream_lost", "stream_back", "segment"),
)


MQTT_EXAMPLE = "mqtt|mqtts://USER@HOST/PREFIX"
PUSH_EXAMPLE = "rtmp|rtmps|rtsp|srt|udp://HOST:PORT/PATH"


def split_address(name: str, value: Any, example: str, needs_port: bool = False) -> SplitResult:
    """Return the parts of an address, which may hold a password and so is never shown.

    Args:
        name: What the value is called in the message.
        value: The address.
        example: One that would be accepted; its scheme, and those before a ``|`` in it, are the ones accepted.
        needs_port: Whether it has to have a port.

    Raises:
        OptionError: It is no such address.
    """
    schemes = example.partition("://")[0].split("|")
    try:
        parts = urlsplit(value) if isinstance(value, str) and value.isprintable() and " " not in value else None
        good = parts and parts.scheme in schemes and parts.hostname and (parts.port or not needs_port)
    except ValueError:  # a port that is no number
        good = False
    if not good or parts is None:
        raise OptionError(f"{name} must be an address such as {example} (what was given is not shown)")
    return parts


def mqtt_prefix(path: str) -> str:
    """Return the prefix of topics that the path of an MQTT address gives.

    Raises:
        OptionError: No topic can begin like that.
    """
    prefix = unquote(path).strip("/") or "tracker"
    if any(sign in prefix for sign in "+#\0") or not prefix.isprintable() or len(prefix.encode()) > 1000:
        raise OptionError(f"the path of mqtt must be a topic, without + and #, not {shown(prefix)}")
    return prefix


def _check_mqtt(name: str, value: Any) -> None:
    if value is not None:
        parts = split_address(name, value, MQTT_EXAMPLE)
        mqtt_prefix(f"{parts.path}#" if "#" in value or "?" in value else parts.path)


def _check_push(name: str, value: Any) -> None:
    if value is not None:
        split_address(name, value, PUSH_EXAMPLE, needs_port=str(value).startswith(("udp", "srt")))


def _address(example: str, needs_port: bool = False) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if value is not None:
            split_address(name, value, example, needs_port)

    return check


def _check_path(name: str, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value and "\0" not in value):
        raise OptionError(f"{name} must be the path of a file, not {shown(value)}")


def read_cooldown(value: Any) -> dict[str, float]:
    """Return the seconds for which each kind of event is told once only, from a text such as ``crowd=60,left=5``.

    Raises:
        OptionError: It is no such text, or names an unknown kind.
    """
    made = {}
    for part in value.split(",") if isinstance(value, str) and value else ():
        kind, _, seconds = part.strip().partition("=")
        if kind not in EVENT_KINDS:
            raise OptionError(f"cooldown {shown(part)} names no kind of event; known are {', '.join(EVENT_KINDS)}")
        try:
            number = float(seconds)
        except ValueError:
            raise OptionError(f"cooldown {shown(part)} must be such as crowd=60, in seconds") from None
        made[kind] = check_number(f"cooldown of {kind}", number, 0)
    if not made and value is not None:
        raise OptionError(f"cooldown must be such as crowd=60,loitering=30, not {shown(value)}")
    return made


@dataclass(frozen=True, repr=False)  # addresses hold passwords
class DeliveryOptions:
    """Where a run tells what happens while it goes on.

    Attributes:
        events: File that gets a line of JSON for every event; ``-`` for standard output. None for none.
        cooldown: Seconds for which a kind of event is told once only at a place, such as ``crowd=60,loitering=30``.
        webhook: Address that every event is posted to.
        webhook_secret_file: File of the secret that the posts are signed with.
        mqtt: Address of an MQTT broker that gets events and counts.
        mqtt_password_file: File of the password for it.
        mqtt_discovery: Whether Home Assistant is told of the counts.
        push: Address of a streaming server that gets the annotated pictures.

    Raises:
        OptionError: A value is not accepted.
    """

    events: str | None = setting(
        None, "file that gets a line of JSON for every event as it happens; - for standard output, and the summary "
        "then goes to standard error", _check_path, kind=str, metavar="FILE|-",
    )  # fmt: skip
    cooldown: str | None = setting(
        None, "seconds for which a kind of event is told once only at a line or zone, such as crowd=60,loitering=30",
        lambda _, value: read_cooldown(value), kind=str, metavar="KIND=SECONDS",
    )  # fmt: skip
    webhook: str | None = setting(
        None, "http or https address that every event is posted to as JSON", _address("http|https://HOST/PATH"),
        kind=str, metavar="URL",
    )  # fmt: skip
    webhook_secret_file: str | None = setting(
        None,
        "file of the secret that posts are signed with, in the header X-Signature",
        _check_path,
        kind=str,
        metavar="FILE",
    )
    mqtt: str | None = setting(
        None,
        "MQTT broker that gets events and counts, such as mqtt://USER@HOST:1883/PREFIX, or mqtts for TLS",
        _check_mqtt,
        kind=str,
        metavar="URL",
    )
    mqtt_password_file: str | None = setting(
        None,
        "file of the broker's password, which others then do not see in the command",
        _check_path,
        kind=str,
        metavar="FILE",
    )
    mqtt_discovery: bool = flag(False, "let Home Assistant find the counts as sensors of one device")
    push: str | None = setting(
        None, "streaming server that gets the annotated pictures live: rtmp://, rtsp://, srt:// or udp://HOST:PORT/PATH",
        _check_push, kind=str, metavar="URL",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)
        parts = split_address("mqtt", self.mqtt, MQTT_EXAMPLE) if self.mqtt else None
        if self.mqtt_discovery and not parts:
            raise OptionError("mqtt_discovery tells Home Assistant of counts at a broker: give mqtt too")
        if self.mqtt_password_file and not (parts and parts.username):
            raise OptionError("mqtt_password_file is of a user of a broker: give mqtt://USER@HOST/PREFIX too")
        if self.mqtt_password_file and parts and parts.password:
            raise OptionError("mqtt has a password already: leave it out, or mqtt_password_file")
        if self.webhook_secret_file and not self.webhook:
            raise OptionError("webhook_secret_file signs what is posted to a webhook: give webhook too")

    @property
    def tells_of_people(self) -> bool:
        """Whether anybody is told of single people, by events or by pictures."""
        return any((self.events, self.webhook, self.mqtt, self.push))


def read_secret(name: str, path: str) -> bytes:
    """Return the secret in a file, without white space around it.

    Raises:
        OptionError: The file cannot be read, or is empty.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            secret = file.read(4097).strip()
    except OSError as error:
        raise OptionError(f"{name}: cannot read {path}: {error.strerror}") from error
    if not 0 < len(secret) <= 4096:
        raise OptionError(f"{name}: {path} must hold one secret of at most 4096 bytes")
    return secret
