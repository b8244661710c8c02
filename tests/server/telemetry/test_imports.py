import os
import subprocess
import sys

PROGRAM = """
import sys
from trunkline.context import CallContext
from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.ledger.access_log import AccessLog
from trunkline_server.telemetry.logs import configure_logging
from trunkline_server.telemetry.tracing import start_tracing
from settled_records import plain

tracing = start_tracing(TelemetrySettings(), {})
tracing.admit(CallContext(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
tracing.settled(plain())
print(*(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def test_a_process_that_exports_nothing_loads_no_opentelemetry() -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
