"""A network of its own for a command, which leads nowhere and hears everything: whom the command looks up, whom it calls.

    unshare --net --mount python quiet_network.py REPORT COMMAND...

All addresses lead to this machine's loopback, where a name server answers every question and nobody else answers anything.
The file REPORT gets a line for each name that was asked for and each packet that was sent. Linux only; `heard` starts it.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER = "192.0.2.1"
"""What every name stands for: an address that is reserved for documentation."""
ETHERNET, ALL = 14, 0x0003
LINGER_S = 0.3


def heard(*command: object, env: Mapping[str, str] | None = None) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a command in such a network. Returns how it ended, and what was heard of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        whole = [*alone(), sys.executable, __file__, str(report), *map(str, command)]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=240, check=False, env=env)
        assert report.exists(), done.stderr
        return done, report.read_text().splitlines()


def alone() -> list[str]:
    """The command that starts another one in a network of its own; empty where that cannot be done."""
    if not (shutil.which("ip") and shutil.which("unshare")):
        return []
    for options in (["--net", "--mount"], ["--map-root-user", "--net", "--mount"]):
        command = ["unshare", *options]
        if not subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
            return command
    return []


def main(report: str, *command: str) -> int:
    """Make the network, listen, run the command."""
    for words in (
        ["link", "set", "lo", "up"],
        ["route", "add", "local", "0.0.0.0/0", "dev", "lo"],
        ["-6", "route", "add", "local", "::/0", "dev", "lo"],
    ):
        subprocess.run(["ip", *words], check="-6" not in words, capture_output=True)
    with tempfile.NamedTemporaryFile("w") as resolver:
        resolver.write("nameserver 127.0.0.1\n")
        resolver.flush()
        subprocess.run(["mount", "--bind", resolver.name, "/etc/resolv.conf"], check=True)
        lines: list[str] = []
        answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        answering.bind(("", 53))
        threading.Thread(target=answer, args=(answering, lines), daemon=True).start()
        listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
        listening.bind(("lo", 0))
        threading.Thread(target=listen, args=(listening, lines), daemon=True).start()
        code = subprocess.run(command, check=False).returncode
        time.sleep(LINGER_S)
    Path(report).write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)))
    return code


def answer(server: socket.socket, lines: list[str]) -> None:
    """Answer every question for an address."""
    while True:
        question, client = server.recvfrom(4096)
        name, end = [], 12
        while question[end]:
            name.append(question[end + 1 : end + 1 + question[end]].decode("latin-1"))
            end += question[end] + 1
        lines.append(f"name {'.'.join(name)}")
        (kind,) = struct.unpack_from(">H", question, end + 1)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(ANSWER) if kind == 1 else b""
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, int(bool(record)), 0, 0)
        server.sendto(head + question[12 : end + 5] + record, client)


def listen(packets: socket.socket, lines: list[str]) -> None:
    """Note whom packets are for."""
    while True:
        packet = packets.recv(65535)[ETHERNET:]
        if packet[:1] and packet[0] >> 4 == 4:
            header = 4 * (packet[0] & 15)
            lines.append(f"packet {_protocol(packet[9])} {socket.inet_ntoa(packet[16:20])}{_port(packet, header)}")
        elif packet[:1] and packet[0] >> 4 == 6:
            lines.append(f"packet {_protocol(packet[6])} {socket.inet_ntop(socket.AF_INET6, packet[24:40])}{_port(packet, 40)}")


def _protocol(number: int) -> str:
    return {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp"}.get(number, str(number))


def _port(packet: bytes, header: int) -> str:
    return f":{struct.unpack_from('>H', packet, header + 2)[0]}" if len(packet) >= header + 4 else ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
