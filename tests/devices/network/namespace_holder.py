"""Run under ``unshare --net``: makes a TAP device there, hands it to the parent, and stays."""

import array
import fcntl
import os
import socket
import struct
import subprocess
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x4004_54CA, 0x0002, 0x1000


def main() -> None:
    parent = socket.socket(fileno=int(sys.argv[1]))
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP | IFF_NO_PI))
    for command in (
        f"ip link set tap0 address {sys.argv[2]}",
        "ip link set lo up",
        "ip link set tap0 up",
    ):
        subprocess.run(command.split(), check=True)
    parent.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tap]))])
    os.close(tap)
    parent.recv(1)  # until the parent closes its end


main()
