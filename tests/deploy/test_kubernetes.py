"""deploy/kubernetes.yaml agrees with itself and with the gateway; no cluster is at hand to run it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from repository import ROOT
from trunkline_cli.run import LAST_WORDS_S
from trunkline_server.config.loader import load
from trunkline_server.config.settings import Settings
from trunkline_server.providers.kinds import KINDS

DOCUMENTS = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8")))
SECRETS = {"OPENAI_API_KEY": "sk-1", "SEARCH_TEAM_DIGEST": f"sha256:{'0' * 64}"}


def one(kind: str, name: str) -> Any:  # noqa: ANN401 a document of YAML
    (found,) = (document for document in DOCUMENTS if (document["kind"], document["metadata"]["name"]) == (kind, name))
    return found


def pod() -> Any:  # noqa: ANN401 a document of YAML
    return one("Deployment", "trunkline")["spec"]["template"]["spec"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The configuration inside; its certificates are on another machine."""
    path = tmp_path / "trunkline.yaml"
    path.write_text(one("ConfigMap", "trunkline")["data"]["trunkline.yaml"])
    return load(path, SECRETS, KINDS, surfaces=())


def test_the_pod_has_time_to_finish_what_runs(settings: Settings) -> None:
    (container,) = pod()["containers"]
    needed_s = container["lifecycle"]["preStop"]["sleep"]["seconds"] + settings.timeouts.shutdown_grace_s + LAST_WORDS_S
    assert pod()["terminationGracePeriodSeconds"] >= needed_s + 5


def test_ports_are_those_that_are_served(settings: Settings) -> None:
    (container,) = pod()["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"rest": settings.rest.port, "grpc": settings.grpc.port}
    targets = {
        port["targetPort"]
        for document in DOCUMENTS
        if document["kind"] == "Service"
        for port in document["spec"]["ports"]
    }
    probes = {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert targets | probes <= ports.keys()


def test_files_are_mounted_where_the_configuration_looks_for_them(settings: Settings) -> None:
    (container,) = pod()["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod()["volumes"]}
    assert {str(Path(file).parent) for file in (settings.grpc.tls.cert_file, settings.grpc.tls.key_file)} == {
        mounts["tls"]
    }


def test_memory_is_enough_for_the_bytes_in_flight(settings: Settings) -> None:
    (container,) = pod()["containers"]
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024**3
    assert limit > 2 * settings.limits.max_bytes_in_flight + 100 * 1024**2


def test_the_grpc_service_has_the_address_of_each_replica() -> None:
    assert one("Service", "trunkline-grpc")["spec"]["clusterIP"] == "None"
