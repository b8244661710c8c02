"""The files that a client's TLS is made of."""

from pathlib import Path

import grpc
import pytest

from certificates import Authority
from trunkline import tls_credentials


def test_credentials_are_made_of_files_by_name_or_path(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("me")
    found = tls_credentials(ca_file=str(authority.ca_file), cert_file=pair.cert_file, key_file=pair.key_file)
    assert isinstance(found, grpc.ChannelCredentials)


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("me")
    with pytest.raises(ValueError, match="belong together"):
        tls_credentials(cert_file=pair.cert_file)


def test_a_broken_file_is_told_at_once_and_by_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, two = authority.issue("one"), authority.issue("two")
    empty = tmp_path / "empty.crt"
    empty.touch()
    with pytest.raises(ValueError, match=r"none\.crt cannot be read: No such file or directory"):
        tls_credentials(ca_file=tmp_path / "none.crt")
    with pytest.raises(ValueError, match=r"empty\.crt cannot be used: no certificate or crl found"):
        tls_credentials(ca_file=empty)
    with pytest.raises(ValueError, match=r"one\.crt with .*two\.key cannot be used: key values mismatch"):
        tls_credentials(cert_file=one.cert_file, key_file=two.key_file)
