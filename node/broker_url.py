"""The address of an MQTT broker: parsed once, and shown without its password ever after."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from node.errors import WRONG_USAGE, PrivityError

# The arguments of a process can be read by every user of the machine, its environment by its owner alone.
# So a child is given the address without the password in the former, and the password in the latter.
PASSWORD_VARIABLE = "PRIVITY_BROKER_PASSWORD"
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """mqtt://[user[:password]@]host[:port], or mqtts:// for TLS. `repr` and `str` show no password."""

    tls: bool
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str] = os.environ) -> BrokerUrl:
        """The parts of `url`; a user without a password takes it from `environment`.

        Raises PrivityError E-BROKER (wrong usage), which does not repeat the address: it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _unusable("its port or host is not well-formed") from None
        if parts.scheme not in DEFAULT_PORTS:
            raise _unusable("it begins with neither mqtt:// nor mqtts://")
        if not parts.hostname:
            raise _unusable("it names no host")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise _unusable("nothing may follow the port (a / or # in a password is written %2F or %23)")
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if username is not None and password is None:
            password = environment.get(PASSWORD_VARIABLE)
        return cls(
            tls=parts.scheme == "mqtts",
            host=parts.hostname,
            port=DEFAULT_PORTS[parts.scheme] if port is None else port,
            username=username,
            password=password,
        )

    @property
    def public(self) -> str:
        """The address without the password: for logs, arguments, messages, and files that others may read."""
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        return f"{self._scheme}://{user}{self._place}"

    @property
    def full(self) -> str:
        """The address with the password: for files of mode 600 and for memory only."""
        if self.username is None or self.password is None:
            return self.public
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}"
        return f"{self._scheme}://{user}@{self._place}"

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment beside `public` among its arguments."""
        return {} if self.password is None else {PASSWORD_VARIABLE: self.password}

    def client_arguments(self) -> dict[str, Any]:
        """Keyword arguments that make an `aiomqtt.Client` connect here.

        TLS trusts the machine's certificate authorities, or those in the file that SSL_CERT_FILE names.
        """
        return {
            "hostname": self.host,
            "port": self.port,
            "username": self.username,
            "password": self.password,
            "tls_context": ssl.create_default_context() if self.tls else None,
        }

    def __str__(self) -> str:
        return self.public

    @property
    def _scheme(self) -> str:
        return "mqtts" if self.tls else "mqtt"

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _unusable(why: str) -> PrivityError:
    return PrivityError(
        "E-BROKER",
        "the broker's address cannot be used",
        why=why,
        next="write mqtt://host:port, mqtts://host:port, or mqtt://user:password@host:port",
        exit_code=WRONG_USAGE,
    )
