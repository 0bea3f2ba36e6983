"""Events posted to a web address, signed, and tried again while it does not answer."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

import requests

from ..settings.groups.delivery import split_address
from .hub import Event
from .sender import QUEUE, Sender

PAUSES = (1.0, 4.0, 16.0)  # seconds before an event is tried again
TIMEOUT = (5.0, 10.0)  # seconds for the connection, and for the answer
EXAMPLE = "http|https://HOST/PATH"


class Webhook(Sender):
    """Posts every event as JSON, one after the other.

    An event that is not taken is tried again after each of the pauses, and is lost then. Redirects are not followed:
    they would lead a signed event wherever the receiver likes.

    Args:
        url: http or https address; it may hold ``user:password@``.
        secret: key of the signature; None for none.
        pauses: seconds before an event is tried again.
        limit: events that may wait.
        timeout: seconds for the connection, and for the answer.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        secret: bytes | None = None,
        pauses: Sequence[float] = PAUSES,
        limit: int = QUEUE,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        parts = split_address("webhook", url, EXAMPLE)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        super().__init__(f"webhook {parts.scheme}://{host}", limit)  # the path may be a secret as well
        self._url = url
        self._secret = secret
        self._pauses = tuple(pauses)
        self._timeout = timeout
        self._session = requests.Session()

    def deliver(self, event: Event) -> bool:
        """Post an event, again and again if needed."""
        body = json.dumps(event, ensure_ascii=False, default=str).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "jde-tracker"}
        if self._secret is not None:
            headers["X-Signature"] = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        for pause in (*self._pauses, None):
            if self._post(body, headers):
                return True
            if pause is None or not self.pause(pause):
                break
        return False

    def _post(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            with self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
            ) as answer:
                if answer.is_redirect:
                    self.failed("it answers with a redirect, which is not followed: give the address it leads to")
                    return False
                taken = 200 <= answer.status_code < 300
                if not taken:
                    self.failed(f"it answers {answer.status_code}")
                return taken
        except requests.RequestException as error:  # its text has the address, with the password
            reasons = {
                requests.exceptions.SSLError: "its certificate is refused",
                requests.Timeout: "no answer in time",
            }
            self.failed(next((text for kind, text in reasons.items() if isinstance(error, kind)), "no connection"))
            return False

    def finish(self) -> None:
        """Close the connection."""
        self._session.close()
