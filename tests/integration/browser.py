"""A real browser, driven over its DevTools protocol by a raw web socket; for tests that look at pages as people do.

Chrome DevTools Protocol (Page, Runtime, Input, Emulation, Network); RFC 6455 for the frames.
"""

import json
import os
import shutil
import socket
import struct
import subprocess
from base64 import b64decode
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self
from urllib.request import urlopen

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_KEYS = {"Tab": 9, "Enter": 13, " ": 32, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}


def found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """One page. `foreign`: what it asked of other hosts; `errors`: what it said on its console."""

    def __init__(self, profile: Path) -> None:
        binary = found()
        assert binary
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        self._process = subprocess.Popen(
            [binary, *flags, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self._number = 0
        try:
            self._socket = self._connect(profile)
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def _connect(self, profile: Path) -> socket.socket:
        ends, announced = monotonic() + 30, profile / "DevToolsActivePort"
        while not announced.exists() or not announced.read_text().strip():
            if monotonic() > ends or self._process.poll() is not None:
                raise RuntimeError("The browser does not start.")
            sleep(0.05)
        port = int(announced.read_text().split()[0])
        with urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
            page = next(tab for tab in json.load(answer) if tab["type"] == "page")
        path = page["webSocketDebuggerUrl"].split("/", 3)[3]
        line = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
        line.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(1)
        return line

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            said = self._receive()
            if said.get("id") == self._number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        params = said.get("params", {})
        if said.get("method") == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:", "about:")):
                self.foreign.append(url)
        elif said.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])

    def evaluate(self, script: str) -> Any:
        """The value, of promises once they are kept."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise RuntimeError(said["exceptionDetails"].get("exception", {}).get("description", script))
        return said["result"].get("value")

    def enter(self, address: str, session: str) -> None:
        """From now on as whoever has the session. The page before is left first: a late answer to what it asked, with a session that is
        over, would take the cookie away."""
        self.open("about:blank")
        self.call("Network.setCookie", name="sessionid", value=session, url=address)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for(
            f"location.href.startsWith({json.dumps(url.split('?')[0])}) && document.readyState === 'complete'"
        )

    def wait_for(self, script: str, seconds: float = 30.0) -> None:
        ends = monotonic() + seconds
        while not self.evaluate(f"Boolean({script})"):
            if monotonic() > ends:
                where = self.evaluate(
                    "`${location.href} (${document.readyState}): ${document.body?.innerText.slice(0, 300)}`"
                )
                raise AssertionError(f"It never came true: {script}\n{where}")
            sleep(0.05)

    def press(self, key: str, *, shift: bool = False) -> None:
        code = _KEYS.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r", "Tab": ""}.get(key, key if len(key) == 1 else "")
        named = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def size(self, width: int, height: int, *, is_dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def without_scripts(self, is_so: bool = True) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=is_so)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        path.write_bytes(
            b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])
        )

    def _send(self, said: dict[str, Any]) -> None:
        data, mask = json.dumps(said).encode(), os.urandom(4)
        size = len(data)
        if size < 126:
            head = bytes([0x81, 0x80 | size])
        elif size < 65_536:
            head = b"\x81\xfe" + struct.pack(">H", size)
        else:
            head = b"\x81\xff" + struct.pack(">Q", size)
        padded = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(padded, "big")).to_bytes(size, "big")
        self._socket.sendall(head + mask + masked)

    def _receive(self) -> dict[str, Any]:
        found = b""
        while True:
            first, second = self._read(2)
            size = second & 127
            if size == 126:
                (size,) = struct.unpack(">H", self._read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._read(8))
            found += self._read(size)
            if first & 0x80:
                said: dict[str, Any] = json.loads(found)
                return said

    def _read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            chunk = self._socket.recv(size - len(found))
            if not chunk:
                raise RuntimeError("The browser is gone.")
            found += chunk
        return bytes(found)

    def close(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
