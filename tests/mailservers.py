"""A real mail server on this machine, with a certificate of its own making, and a listener that is a webhook."""

import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def free_port() -> int:
    "A port on which nobody listens."
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def certificate(folder: Path, host: str = "localhost") -> Path:
    "A key and a certificate that it signed itself, in one file; the certificate alone beside it as `.crt`."
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]),
    )
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(host)] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] * (host == "localhost")
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{host}.crt").write_bytes(signed)
    (folder / f"{host}.pem").write_bytes(key.private_bytes(*form) + signed)
    return folder / f"{host}.pem"


@dataclass
class PostOffice:
    "What a mail server took, and how it answers some recipients."

    answers: dict[str, list[str]] = field(default_factory=dict)  # recipient → answers, the last one for ever
    hold_seconds: float = 0  # before it says that it took a text
    took: list[tuple[str, bytes]] = field(default_factory=list)  # recipient, mail
    connections: int = 0
    begun: threading.Event = field(default_factory=threading.Event)  # a text has come whole

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        said = self.answers.get(address, ["250 ok"])
        answer = said.pop(0) if len(said) > 1 else said[0]
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        self.begun.set()
        for to in envelope.rcpt_tos:
            self.took.append((to, envelope.content))
        time.sleep(self.hold_seconds)  # the only connection there is
        return "250 taken"

    def read(self) -> list:
        "The mails, as a mail program reads them."
        return [message_from_bytes(content, policy=policy.default) for _, content in self.took]


class Counting(Controller):
    "A controller that counts who connects."

    def factory(self):
        self.handler.connections += 1
        return super().factory()


@contextmanager
def mail_server(
    office: PostOffice, pem: Path | None, implicit: bool = False, port: int = 0, password: str = ""
):
    "A server that listens until the block ends; its port. Without a certificate it offers no encryption."
    context = None
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    way = (
        {"ssl_context": context} if implicit else {"tls_context": context, "require_starttls": bool(context)}
    )
    if password:
        way |= {"auth_required": True, "auth_require_tls": not implicit}
        way["authenticator"] = lambda *args: AuthResult(
            success=args[-1].password.decode() == password, handled=False
        )
    controller = Counting(office, hostname="127.0.0.1", port=port or free_port(), **way)
    controller.start()
    office.connections = 0  # the controller itself looked whether it listens
    try:
        yield controller.port
    finally:
        controller.stop(no_assert=True)


@contextmanager
def webhook(*statuses: int):
    "A listener that answers with these statuses, the last one for ever; its address, and what it was told."
    told, left = [], list(statuses) or [204]

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, self.headers["Idempotency-Key"], body))
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *_):
            "Say nothing."

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?token=s3cret", told
    finally:
        server.shutdown()
        server.server_close()
