"""The address of the broker of a fleet: mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, or mqtts for TLS."""

from __future__ import annotations

import ssl
from urllib.parse import unquote

from edgecls.errors import ConfigError
from edgecls.fleet.topics import STATUS, topic_of
from edgecls.run.fleet_settings import PREFIX, check_broker
from edgecls.sink.mqtt import PORTS
from edgecls.sink.network.mqtt_connection import Broker
from edgecls.text.redaction import shown


def broker_at(url: str, device: str = "") -> tuple[Broker, str]:
    """Return the broker at an address, and the prefix of its topics.

    Args:
        url: The address.
        device: The device whose status the broker should keep; "" for an operator, who has none.

    Raises:
        ConfigError: The address is invalid.
    """
    parts = check_broker(url)
    prefix = unquote(parts.path).strip("/") or PREFIX
    try:
        tls = ssl.create_default_context() if parts.scheme == "mqtts" else None
    except OSError as error:
        raise ConfigError(f"{shown(url)}: the certificates of this machine cannot be read ({error})") from error
    status = topic_of(prefix, device, STATUS) if device else ""
    user = None if parts.username is None else unquote(parts.username)
    port = parts.port or PORTS[parts.scheme]
    return Broker(parts.hostname or "", port, status, tls=tls, user=user, password=unquote(parts.password or "")), prefix
