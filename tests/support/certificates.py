"""Certificates made for one test: an authority, and what it signs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "127.0.0.1")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    cert_file: Path
    key_file: Path


class Authority:
    """Signs certificates; its own is in `ca_file`. All files go into `folder`, with its name in theirs."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._subject, self._subject, self._key.public_key(), DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.ca_file = folder / f"{name}.crt"
        self.ca_file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *, names: Sequence[str] = NAMES, valid_for: timedelta = DAY) -> Pair:
        """A certificate for these names, in NAME.crt and NAME.key; less than nothing is for one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, self._subject, key.public_key(), valid_for)
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # As tools do that renew certificates: a reader never sees half a file.
        _replace(pair.cert_file, _pem(builder.sign(self._key, hashes.SHA256())))
        _replace(pair.key_file, secret)
        return pair


def serial_of(der: bytes) -> int:
    """Which certificate it is."""
    return x509.load_der_x509_certificate(der).serial_number


def serial_in(path: Path) -> int:
    """Which certificate a file holds."""
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid_for: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * DAY)
        .not_valid_after(now + valid_for)
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)
