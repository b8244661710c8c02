"""Certificate files, as `trunkline check` and the start look through them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import Authority, Pair
from trunkline_cli.certificates import ServedCertificates
from trunkline_cli.main import main
from trunkline_server.config.certificates import CertificateError, read_certificates
from trunkline_server.config.settings import TlsSettings


def settings_of(pair: Pair, **more: object) -> TlsSettings:
    return TlsSettings.model_validate({"cert_file": str(pair.cert_file), "key_file": str(pair.key_file), **more})


def with_passphrase(pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key_file.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    pair.key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))


BROKEN: dict[str, tuple[Callable[[Pair], object], str]] = {
    "no certificate": (lambda pair: pair.cert_file.unlink(), "cert_file cannot be read: No such file or directory"),
    "no key": (lambda pair: pair.key_file.unlink(), "key_file cannot be read: No such file or directory"),
    "empty certificate": (lambda pair: pair.cert_file.write_bytes(b""), "cert_file holds no certificate in PEM"),
    "certificate of noise": (
        lambda pair: pair.cert_file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "cert_file holds a certificate that cannot be read",
    ),
    "half a certificate": (
        lambda pair: pair.cert_file.write_bytes(pair.cert_file.read_bytes()[:-30]),
        "cert_file holds a certificate that cannot be read",
    ),
    "key of noise": (
        lambda pair: pair.key_file.write_bytes(b"\xff" * 100),
        "key_file holds no private key in PEM that fits the certificate",
    ),
    "the certificate in place of the key": (
        lambda pair: pair.key_file.write_bytes(pair.cert_file.read_bytes()),
        "key_file holds no private key in PEM that fits the certificate",
    ),
    "key with a passphrase": (
        with_passphrase,
        "key_file needs a passphrase: store it without one, where only the gateway may read",
    ),
    "too large": (lambda pair: pair.cert_file.write_bytes(bytes(5 * 1024 * 1024)), "cert_file is larger than 4096 KiB"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_told_by_setting(case: str, tmp_path: Path) -> None:
    spoil, told = BROKEN[case]
    pair = Authority(tmp_path).issue("server")
    spoil(pair)
    with pytest.raises(CertificateError) as caught:
        read_certificates(settings_of(pair))
    assert str(caught.value) == told


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = Pair(authority.issue("one").cert_file, authority.issue("two").key_file)
    with pytest.raises(CertificateError, match="key_file is not the key of the certificate in cert_file"):
        read_certificates(settings_of(pair))


def test_roots_of_clients_are_looked_through_as_well(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("server")
    with pytest.raises(CertificateError, match="client_ca_file holds no certificate in PEM"):
        read_certificates(settings_of(pair, client_ca_file=str(pair.key_file)))


def test_check_reports_each_file_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = Authority(tmp_path)
    one, two = authority.issue("one"), authority.issue("two")
    path = tmp_path / "trunkline.yaml"
    path.write_text(
        f"rest:\n  tls:\n    cert_file: {one.cert_file}\n    key_file: {two.key_file}\n"
        f"grpc:\n  tls:\n    cert_file: {tmp_path}/none.crt\n    key_file: {two.key_file}\n"
    )
    assert main(["check", str(path)]) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:4:15: rest.tls.key_file: is not the key of the certificate in cert_file",
        f"{path}:7:16: grpc.tls.cert_file: cannot be read: No such file or directory",
    ]
    path.write_text(f"grpc: {{tls: {{client_ca_file: {authority.ca_file}}}}}\n")
    assert main(["check", str(path)]) == 3
    assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "grpc.tls.cert_file: is missing: TLS needs a certificate and its key",
        "grpc.tls.key_file: is missing: TLS needs a certificate and its key",
    ]


def test_check_sums_up_what_is_asked_of_clients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    tls = f"cert_file: {pair.cert_file}, key_file: {pair.key_file}"
    path = tmp_path / "trunkline.yaml"
    path.write_text(f"rest: {{tls: {{{tls}}}}}\ngrpc: {{tls: {{{tls}, client_ca_file: {authority.ca_file}}}}}\n")
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "rest: 127.0.0.1:4000 with TLS",
        "grpc: 127.0.0.1:50051 with TLS and client certificates",
    ]


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As Kubernetes renews a mounted secret: one link is turned, the files' own names and links stay."""
    authority = Authority(tmp_path)
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        pair = authority.issue("tls")
        for file in (pair.cert_file, pair.key_file):
            file.rename(tmp_path / folder / file.name)
    data = tmp_path / "..data"
    data.symlink_to("old")
    served = ServedCertificates("grpc", settings_of(Pair(data / "tls.crt", data / "tls.key")))
    served.look()
    assert served.current.cert == (tmp_path / "old" / "tls.crt").read_bytes()
    fresh = tmp_path / "..fresh"
    fresh.symlink_to("new")
    fresh.replace(data)
    served.look()
    assert served.current.cert == (tmp_path / "new" / "tls.crt").read_bytes()


def test_a_bad_change_is_told_once_and_the_old_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pair = Authority(tmp_path).issue("server")
    served = ServedCertificates("rest", settings_of(pair))
    before = served.current
    pair.cert_file.unlink()
    for _ in range(3):
        served.look()
    assert served.current is before
    assert [record.getMessage() for record in caplog.records] == [
        (
            "the new certificates cannot be used, the old ones stay: "
            "rest.tls.cert_file cannot be read: No such file or directory"
        )
    ]
