"""A small client of gdb's remote serial protocol, for the tests: it knows nothing of vtbook."""

import os
import re
import socket
import subprocess
import time
import xml.etree.ElementTree as xml


class Client:
    """One conversation with a stub."""

    def __init__(self, address, patience=10.0):
        end = time.monotonic() + patience
        while True:
            try:
                self.socket = socket.create_connection(address, timeout=60)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, payload):
        payload = payload.encode() if isinstance(payload, str) else payload
        body = re.sub(rb"[#$}*]", lambda found: b"}" + bytes([found[0][0] ^ 0x20]), payload)
        self.socket.sendall(b"$" + body + b"#%02x" % (sum(body) & 255))

    def receive(self):
        """The next packet's payload; acknowledged."""
        while (byte := self.file.read(1)) != b"$":
            assert byte, "the stub has closed the connection"
        body = b""
        while (byte := self.file.read(1)) != b"#":
            body += byte
        assert int(self.file.read(2), 16) == sum(body) & 255
        self.socket.sendall(b"+")
        return re.sub(rb"(?s)}(.)", lambda found: bytes([found[1][0] ^ 0x20]), body)

    def ask(self, payload):
        self.send(payload)
        return self.receive().decode("latin-1")

    # -- what the tests want to know ------------------------------------------------------------

    def core(self):
        """x0 to x31 and pc."""
        data = bytes.fromhex(self.ask("g"))
        return [int.from_bytes(data[n : n + 8], "little") for n in range(0, len(data), 8)]

    def register(self, n):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{n:x}")), "little")

    def set_register(self, n, value, size=8):
        return self.ask(f"P{n:x}={value.to_bytes(size, 'little').hex()}")

    def features(self):
        """The registers of the target description: feature -> [(number, name, bits)]."""
        found, number = {}, 0
        for tree in self._feature_trees():
            registers = found.setdefault(tree.get("name"), [])
            for reg in tree.iter("reg"):
                number = int(reg.get("regnum", number))
                registers.append((number, reg.get("name"), int(reg.get("bitsize"))))
                number += 1
        return found

    def _feature_trees(self):
        root = self._document("target.xml")
        includes = [one.get("href") for one in root if one.tag.endswith("}include")]
        return [self._document(name) for name in includes] or root.findall("feature")

    def _document(self, name):
        text = ""
        while True:
            part = self.ask(f"qXfer:features:read:{name}:{len(text):x},800")
            text += part[1:]
            if part[0] == "l":
                return xml.fromstring(
                    text.replace("<target>", '<target xmlns:xi="http://www.w3.org/2001/XInclude">')
                )


def stop_of(reply):
    """A stop reply without its registers: the signal, and the other fields by name."""
    kind, signal = reply[0], int(reply[1:3], 16)
    fields = dict(field.split(":", 1) for field in reply[3:].split(";") if field)
    return kind, signal, {k: v for k, v in fields.items() if not re.fullmatch("[0-9a-f]{2}", k)}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Qemu:
    """qemu-system-riscv64 with a program loaded, stopped before its first instruction."""

    def __init__(self, program, path, *options):
        port = free_port()
        command = [
            *(path, "-machine", "virt", "-bios", "none", "-kernel", os.fspath(program), "-S"),
            *("-display", "none", "-serial", "null", "-monitor", "none"),
            *("-gdb", f"tcp:127.0.0.1:{port}"),
            *options,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.client = Client(("127.0.0.1", port))

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.client.close()
        self.process.kill()
        self.process.wait()
