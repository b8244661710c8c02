"""What the contract promises beyond buf's rules."""

import re

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor

import trunkline.v1
from repository import ROOT

PROTOS = sorted(path.relative_to(ROOT / "protos").as_posix() for path in (ROOT / "protos").rglob("*.proto"))


def described(proto: str) -> FileDescriptor:
    """A file of the contract as the committed stubs have it."""
    return descriptor_pool.Default().FindFileByName(proto)


@pytest.mark.parametrize("proto", PROTOS)
def test_the_contract_stands_alone(proto: str) -> None:
    """A client in any language is generated from these files and nothing else."""
    foreign = [d.name for d in described(proto).dependencies if not d.name.startswith("trunkline/v1/")]
    assert foreign == []


@pytest.mark.parametrize("proto", PROTOS)
def test_the_python_client_names_all_of_it(proto: str) -> None:
    file = described(proto)
    names = {*file.message_types_by_name, *file.enum_types_by_name}
    for service in file.services_by_name:
        names |= {f"{service}Stub", f"{service}Servicer", f"add_{service}Servicer_to_server"}
    assert names - set(trunkline.v1.__all__) == set()


@pytest.mark.parametrize("proto", PROTOS)
def test_json_is_text(proto: str) -> None:
    """Raw JSON is a string, so that it reads the same in logs, grpcurl and every language; never bytes or a Struct."""
    source = (ROOT / "protos" / proto).read_text()
    fields = re.findall(r"((?:^ *//.*\n)+) *(?:optional |repeated )?bytes (\w+) =", source, re.MULTILINE)
    assert [name for comment, name in fields if "JSON" in comment] == []
