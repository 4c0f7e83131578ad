"""A timestamp authority (RFC 3161) on the loopback interface, made with openssl."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.parts import PartMissing

_CONFIG = """
[tsa]
default_tsa = main
[main]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[signer]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[req]
distinguished_name = name
[name]
"""


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its URL; `root.pem` in the folder is the certificate to trust."""
    if shutil.which("openssl") is None:
        raise PartMissing("openssl is not installed")
    (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    _certificates(folder)

    class Authority(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = _answer(folder, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            """No log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Authority) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def _certificates(folder: Path) -> None:
    config = ["-config", folder / "openssl.cnf"]
    new = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-sha256", *config]
    root = ["-x509", "-days", "2", "-extensions", "root", "-subj", "/CN=root"]
    _openssl(folder, *new, *root, "-keyout", "root.key", "-out", "root.pem")
    _openssl(folder, *new, "-subj", "/CN=tsa", "-keyout", "tsa.key", "-out", "tsa.csr")
    ca = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "2", "-sha256"]
    extensions = ["-extfile", folder / "openssl.cnf", "-extensions", "signer"]
    _openssl(folder, "x509", "-req", "-in", "tsa.csr", *ca, *extensions, "-out", "tsa.pem")


def _answer(folder: Path, query: bytes) -> bytes:
    (folder / "query").write_bytes(query)
    config = ["-config", folder / "openssl.cnf", "-section", "main"]
    _openssl(folder, "ts", "-reply", *config, "-queryfile", "query", "-out", "reply")
    return (folder / "reply").read_bytes()


def _openssl(folder: Path, *arguments: object) -> None:
    command = ["openssl", *map(str, arguments)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise PartMissing(f"openssl {arguments[0]}: {ran.stderr[-200:]}")
