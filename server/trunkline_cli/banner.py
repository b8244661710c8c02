"""What the operator reads on the terminal after start."""

from collections.abc import Sequence

from trunkline_server.config.settings import Settings

MAX_IDS_SHOWN = 4


def banner(
    settings: Settings, *, rest_port: int | None = None, grpc_port: int | None = None, core_address: str = ""
) -> str:
    """Where the process listens, what it offers, and a line to try it with."""
    rest_url = f"{'https' if settings.rest.tls else 'http'}://{_reachable(settings.rest.host)}:{rest_port}"
    lines = []
    if rest_port is not None:
        lines.append(f"trunkline: REST on {rest_url}/v1")
    if grpc_port is not None:
        lines.append(
            f"trunkline: gRPC on {_reachable(settings.grpc.host)}:{grpc_port}{' (TLS)' if settings.grpc.tls else ''}"
        )
    if core_address:
        lines.append(f"trunkline: core at {core_address}")
    else:
        lines.extend(f"trunkline: provider {name} ({provider.kind})" for name, provider in settings.providers.items())
        lines.extend(
            f"trunkline: model {name} -> {', '.join(model.targets)}" for name, model in settings.models.items()
        )
        if settings.echo:
            lines.append("trunkline: model echo (built in)")
        lines.append(f"trunkline: {_keys_line(settings)}")
    if rest_port is not None:
        lines.append(f"try it:\n{curl_line(rest_url, _example_model(settings), keyed=bool(settings.keys))}")
    return "\n".join(lines)


def found_line(name: str, base_url: str, model_ids: Sequence[str]) -> str:
    """A local engine that was found."""
    shown = ", ".join(model_ids[:MAX_IDS_SHOWN])
    more = f" and {len(model_ids) - MAX_IDS_SHOWN} more" if len(model_ids) > MAX_IDS_SHOWN else ""
    return f"trunkline: found {name} at {base_url}: {shown or 'no model loaded'}{more}"


def curl_line(rest_url: str, model: str, *, keyed: bool) -> str:
    """A command that sends a completion; with `keyed` it takes the key from the environment."""
    key = ' -H "authorization: Bearer $TRUNKLINE_KEY"' if keyed else ""
    body = f'{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}'
    return f"  curl {rest_url}/v1/chat/completions{key} -H 'content-type: application/json' -d '{body}'"


def _keys_line(settings: Settings) -> str:
    if settings.keys:
        return f"{len(settings.keys)} keys"
    return "no keys are configured: whoever reaches these ports may call"


def _example_model(settings: Settings) -> str:
    return next(iter(settings.models), "echo" if settings.echo else "provider/model")


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
